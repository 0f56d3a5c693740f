import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type KeyInUse, LastUsed, NO_EPOCH } from "../../../src/gate/chain/last-used.js";
import { createGate } from "../../../src/gate/gate.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { elsewhere } from "../world.js";

function inUse(keyId: string): KeyInUse {
  return { keyId, orgId: "acme", usePlace: 0, useEpoch: NO_EPOCH };
}

describe("when keys were last used", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function world() {
    const storage = memoryStorage();
    const commit = vi.spyOn(storage, "commit");
    const gate = createGate({ storage });
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    const { key, token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
    commit.mockClear();
    return { storage, commit, gate, olga, keyId: key.id, token };
  }

  test("many calls are one write, a minute later, and are seen at once", async () => {
    const { commit, gate, olga, keyId, token } = await world();
    for (let i = 0; i < 50; i++) {
      vi.advanceTimersByTime(100);
      await gate.admit(token, { model: "a" });
    }
    const usedAt = Date.now();
    expect(commit).not.toHaveBeenCalled();
    expect(await olga.keys.get({ keyId })).toMatchObject({ lastUsedAt: usedAt, version: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(commit).toHaveBeenCalledTimes(1);
    expect(await olga.keys.get({ keyId })).toMatchObject({ lastUsedAt: usedAt, version: 1 });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(commit).toHaveBeenCalledTimes(1);
  });

  test("they are written in the async context of the gate, not in that of the call that came first", async () => {
    const { storage, gate, token } = await world();
    const caller = new AsyncLocalStorage<string>();
    // As real timers do.
    const { setTimeout } = globalThis;
    vi.stubGlobal("setTimeout", (run: () => void, ms: number) => setTimeout(AsyncResource.bind(run), ms));
    const seen: unknown[] = [];
    const get = storage.get.bind(storage);
    vi.spyOn(storage, "get").mockImplementation((kind, id) => {
      seen.push(caller.getStore());
      return get(kind, id);
    });
    await caller.run("ada", () => gate.admit(token, { model: "a" }));
    vi.unstubAllGlobals();
    seen.length = 0; // what the load of the key asked for
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  test("what has gathered is written when the gate closes", async () => {
    const { storage, gate, keyId, token } = await world();
    await gate.admit(token, { model: "a" });
    await gate.close();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ orgId: "acme", usedAt: Date.now() });
  });

  test("a call that nothing counted while the counters are down is a use too", async () => {
    const { storage, keyId, token } = await world();
    const counters = elsewhere(() => {
      throw new Error("ECONNREFUSED");
    });
    const gate = createGate({ storage, counters, onCountersDown: "allow" });
    expect(await gate.check(token, { model: "a" })).toMatchObject({ degraded: "uncounted" });
    expect(await gate.as({ userId: "olga" }).keys.get({ keyId })).not.toHaveProperty("lastUsedAt");
    expect(await gate.admit(token, { model: "a" })).toMatchObject({ degraded: "uncounted" });
    expect(await gate.as({ userId: "olga" }).keys.get({ keyId })).toMatchObject({ lastUsedAt: Date.now() });
  });

  test("of two processes the later use counts, and a deleted key leaves nothing", async () => {
    const { storage, olga, keyId } = await world();
    const [one, two] = [new LastUsed(storage, Date), new LastUsed(storage, Date)];
    const key = inUse(keyId);
    one.record(key, 1000);
    two.record(inUse(keyId), 2000);
    await Promise.all([one.flush(), two.flush()]);
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: 2000 });
    one.record(key, 1500);
    await one.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: 2000 });
    one.record(key, 3000);
    await olga.projects.delete({ projectId: "web" });
    await one.flush();
    expect(await storage.get("keyUse", keyId)).toBeUndefined();
  });

  test("a key that is deleted while its use is being written leaves nothing", async () => {
    const { storage, commit, olga, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const key = inUse(keyId);
    lastUsed.record(key, 1000);
    await lastUsed.flush();
    lastUsed.record(key, 2000);
    const write = storage.commit.bind(storage);
    commit.mockImplementationOnce(async (changes) => {
      await olga.projects.delete({ projectId: "web" });
      await write(changes);
    });
    await lastUsed.flush();
    expect(await storage.get("keyUse", keyId)).toBeUndefined();
  });

  test("a use is of the org of its key, also where the id was of a key of another org before", async () => {
    const { storage, keyId } = await world();
    const other = { id: keyId, orgId: "other", version: 1, usedAt: 1000 };
    await storage.commit([{ kind: "keyUse", id: keyId, expectedVersion: 0, record: other }]);
    const lastUsed = new LastUsed(storage, Date);
    lastUsed.record(inUse(keyId), 2000);
    await lastUsed.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ orgId: "acme", usedAt: 2000 });
    lastUsed.record({ ...inUse(keyId), orgId: "other" }, 3000);
    await lastUsed.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ orgId: "acme", usedAt: 3000 });
  });

  test("uses are written in batches, with a look at each key that had none and at no other", async () => {
    const { storage, commit, olga } = await world();
    const ids = Array.from({ length: 250 }, (_, i) => `k${i}`);
    for (const id of ids) await olga.keys.create({ orgId: "acme", projectId: "web", id });
    const lastUsed = new LastUsed(storage, Date);
    const get = vi.spyOn(storage, "get");
    const keys = ids.map(inUse);
    const written = async (now: number) => {
      get.mockClear();
      commit.mockClear();
      for (const key of keys) lastUsed.record(key, now);
      await lastUsed.flush();
      const looked = (kind: string) => get.mock.calls.filter(([asked]) => asked === kind).length;
      return { uses: looked("keyUse"), keys: looked("key"), commits: commit.mock.calls.length };
    };
    expect(await written(1000)).toEqual({ uses: 250, keys: 250, commits: 3 });
    expect(await written(2000)).toEqual({ uses: 250, keys: 0, commits: 3 });
    expect(await lastUsed.of(ids)).toEqual(ids.map(() => 2000));
  });

  test("calls pass while the uses of many keys are written", async () => {
    const { storage, commit, olga } = await world();
    const ids = Array.from({ length: 300 }, (_, i) => `k${i}`);
    for (const id of ids) await olga.keys.create({ orgId: "acme", projectId: "web", id });
    const lastUsed = new LastUsed(storage, Date);
    for (const id of ids) lastUsed.record(inUse(id), 1000);
    commit.mockClear();
    const flushing = lastUsed.flush();
    await setImmediate();
    expect(commit).toHaveBeenCalledTimes(1);
    await flushing;
    expect(commit).toHaveBeenCalledTimes(3);
  });

  test("a use noted by a clock that was years ahead gives way to the next one", async () => {
    const { storage, keyId } = await world();
    const now = Date.now();
    const [wrong, right] = [new LastUsed(storage, Date), new LastUsed(storage, Date)];
    wrong.record(inUse(keyId), now + 10 * 365 * 86_400_000);
    await wrong.flush();
    right.record(inUse(keyId), now);
    await right.flush();
    expect(await right.of([keyId])).toEqual([now]);
    // A clock that is some hours behind takes nothing back.
    wrong.record(inUse(keyId), now + 10 * 3_600_000);
    await wrong.flush();
    right.record(inUse(keyId), now + 1);
    await right.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: now + 10 * 3_600_000 });
  });

  test("a storage that fails loses nothing and stops nobody", async () => {
    const { storage, commit, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const key = inUse(keyId);
    const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    commit.mockRejectedValueOnce(new Error("down"));
    lastUsed.record(key, 1000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(warning).toHaveBeenCalledOnce();
    warning.mockRestore();
    expect(await lastUsed.of([keyId])).toEqual([1000]);
    await lastUsed.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: 1000 });
  });

  test("a storage that fails is tried again a minute later", async () => {
    const { storage, commit, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const key = inUse(keyId);
    const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    commit.mockRejectedValueOnce(new Error("down"));
    lastUsed.record(key, 1000);
    await vi.advanceTimersByTimeAsync(120_000);
    warning.mockRestore();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: 1000 });
  });

  test("a use while another one is being written is not lost", async () => {
    const { storage, commit, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const key = inUse(keyId);
    lastUsed.record(key, 1000);
    const write = storage.commit.bind(storage);
    commit.mockImplementationOnce(async (changes) => {
      lastUsed.record(key, 2000);
      await write(changes);
    });
    await lastUsed.flush();
    expect(await lastUsed.of([keyId])).toEqual([2000]);
    await lastUsed.flush();
    expect(await storage.get("keyUse", keyId)).toMatchObject({ usedAt: 2000 });
  });

  test("a key that is named by its token and by its id has one last use", async () => {
    const { gate, olga, keyId, token } = await world();
    for (const key of [token, { keyId }, token]) {
      vi.advanceTimersByTime(1000);
      await gate.admit(key, { model: "a" });
      expect(await olga.keys.get({ keyId })).toMatchObject({ lastUsedAt: Date.now() });
    }
  });

  test("uses of keys whose earlier ones were written, in any order, are noted to nobody else", async () => {
    const { storage, olga } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const ids = ["a", "b", "c", "d"];
    for (const id of ids) await olga.keys.create({ orgId: "acme", projectId: "web", id });
    const keys = ids.map(inUse);
    let now = 1000;
    const latest: Record<string, number> = {};
    for (const order of ["abc", "cab", "bd", "acb", "cad", "ba"]) {
      for (const id of order) {
        latest[id] = ++now;
        lastUsed.record(keys[ids.indexOf(id)] as KeyInUse, now); // sound: it is one of the four
      }
      expect(await lastUsed.of(ids)).toEqual(ids.map((id) => latest[id]));
      await lastUsed.flush();
      expect(await lastUsed.of(ids)).toEqual(ids.map((id) => latest[id]));
    }
  });

  test("keys that are used for months take no more room than in the first minute", async () => {
    const { storage, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    const key = inUse(keyId);
    for (let minute = 1; minute <= 5; minute++) {
      lastUsed.record(key, minute * 60_000);
      expect(key.usePlace).toBe(0);
      await lastUsed.flush();
    }
  });

  test("what was written before its minute was over is not written again when it is", async () => {
    const { storage, keyId } = await world();
    const lastUsed = new LastUsed(storage, Date);
    lastUsed.record(inUse(keyId), 1000);
    await lastUsed.flush();
    expect(vi.getTimerCount()).toBe(0);
  });
});
