import Bottleneck from "bottleneck/light.js";
import { describe, expect, it, vi } from "vitest";
import { batches } from "../../src/ledger/batches.js";
import { eventually } from "../eventually.js";

/** Collects what is handed over, and waits for so many ids. */
function collector() {
  const taken: string[][] = [];
  const onBatch = vi.fn((ids: string[]) => {
    taken.push(ids);
  });
  const all = (count: number) => eventually(() => expect(taken.flat()).toHaveLength(count));
  return { taken, onBatch, all };
}

const LONG = 60_000;

describe("batches", () => {
  it("are handed over when they are full", async () => {
    const { taken, onBatch, all } = collector();
    const { add } = batches({ maxSize: 2, maxAgeMs: LONG }, onBatch);
    for (const id of ["a", "b", "c", "d"]) add(id);
    await all(4);
    expect(taken).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  it("are handed over when their first id has waited long enough", async () => {
    const { taken, onBatch, all } = collector();
    const { add } = batches({ maxSize: 100, maxAgeMs: 5 }, onBatch);
    add("a");
    await all(1);
    expect(taken).toEqual([["a"]]);
  });

  it("hold ids such as constructor and __proto__ like any other", async () => {
    const { taken, onBatch, all } = collector();
    const { add } = batches({ maxSize: 3, maxAgeMs: LONG }, onBatch);
    for (const id of ["constructor", "__proto__", "batch"]) add(id);
    await all(3);
    expect(taken).toEqual([["constructor", "__proto__", "batch"]]);
  });

  it("are never handed over within `add`, so that no call waits for what is done with them", async () => {
    const { onBatch, all } = collector();
    const { add } = batches({ maxSize: 1, maxAgeMs: LONG }, onBatch);
    add("a");
    await all(1); // bottleneck is loaded now
    add("b");
    expect(onBatch).toHaveBeenCalledTimes(1);
    await all(2);
  });

  it("lose nothing that a handler adds itself", async () => {
    const taken: string[] = [];
    const { add } = batches({ maxSize: 1, maxAgeMs: LONG }, (ids) => {
      taken.push(...ids);
      if (taken.length < 5) add(`after ${taken.length}`);
    });
    add("first");
    await eventually(() => expect(taken).toHaveLength(5));
  });

  it("are handed over no more once stopped, and leave no timer that a process would wait for", async () => {
    const { taken, onBatch, all } = collector();
    const stopped = batches({ maxSize: 2, maxAgeMs: LONG }, onBatch);
    const early = batches({ maxSize: 1, maxAgeMs: LONG }, onBatch);
    for (const id of ["a", "b"]) stopped.add(id);
    early.add("c");
    early.stop(); // before bottleneck is there
    await all(2);
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      stopped.add("d");
      expect(vi.getTimerCount()).toBe(1);
      stopped.stop();
      for (const { add } of [stopped, early]) add("e");
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toEqual([["a", "b"]]);
  });
});

/** Why the adapter does what it does: where one of these fails after an upgrade, a part of it is no longer needed. */
describe("known defects of bottleneck 2.19.5", () => {
  it("`add` resolves before the handler of its batch has ended (bottleneck#140)", async () => {
    const batcher = new Bottleneck.Batcher({ maxSize: 1 });
    let ended = false;
    batcher.on("batch", async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ended = true;
    });
    await batcher.add("a");
    expect(ended).toBe(false);
    await eventually(() => expect(ended).toBe(true));
  });

  it("there is no flush (bottleneck#166), and nothing else that would end its timer", () => {
    const names = Object.getOwnPropertyNames(Bottleneck.Batcher.prototype);
    expect(names.filter((name) => !name.startsWith("_"))).toEqual(["constructor", "add", "defaults"]);
  });

  it("what a handler adds at once is lost", async () => {
    const seen: number[] = [];
    const batcher = new Bottleneck.Batcher({ maxSize: 2, maxTime: 5 });
    batcher.on("batch", (batch: number[]) => {
      seen.push(...batch);
      if (seen.length === 2) batcher.add(3);
    });
    batcher.add(1);
    batcher.add(2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(seen).toEqual([1, 2]);
  });

  it("what a handler throws is swallowed", async () => {
    const batcher = new Bottleneck.Batcher({ maxSize: 1 });
    batcher.on("batch", () => {
      throw new Error("unseen");
    });
    await expect(batcher.add("a")).resolves.toBeUndefined();
  });

  it("names that every object has, such as constructor, are not free to use as events", () => {
    const batcher = new Bottleneck.Batcher({ maxSize: 1 });
    expect(() => batcher.on("constructor", () => {})).toThrow();
  });
});
