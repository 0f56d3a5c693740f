import {
  ClosedError,
  CountersUnavailableError,
  createGate,
  createLedger,
  type LedgerOptions,
  LedgerUnavailableError,
  memoryLedgerSink,
} from "tollgate";
import { describe, expect, it, vi } from "vitest";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import { memoryStorage } from "../../src/storage/memory.js";
import { eventually } from "../eventually.js";
import { passed } from "../scenarios/answers.js";
import { limited, world } from "./world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", costUsd: 1 };
const BUDGET = limited({ key: { budget: { usd: 1_000, reset: "never" } } });

/** Counters behind a network, whose answers wait for a hand once it is held out. */
function countersByHand() {
  const counters = memoryCounters();
  const held: (() => void)[] = [];
  let isHeld = false;
  const answered = async <T>(answer: Promise<T>) => {
    const given = await answer;
    if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
    return given;
  };
  const made: Counters = {
    reserve: (request) => answered(counters.reserve(request)),
    settle: (request) => answered(counters.settle(request)),
    read: (query) => counters.read(query),
    close: vi.fn(() => counters.close()),
  };
  return {
    counters: made,
    hold() {
      isHeld = true;
    },
    held,
    letGo() {
      for (const answer of held.splice(0)) answer();
    },
  };
}

function accounting(options: Partial<LedgerOptions> = {}) {
  const sink = memoryLedgerSink();
  const hand = countersByHand();
  const ledger = createLedger({ sink, maxDelayMs: 1, ...options });
  const made = world(BUDGET, { clock: Date, ledger, counters: hand.counters });
  const admit = async () => passed(await made.gate.admit(KEY, CALL)).reservation;
  return { ...made, sink, ledger, hand, admit };
}

/** A gate with storage and a ledger, and a key that was made by its control plane. */
async function storedKey() {
  const hand = countersByHand();
  const sink = memoryLedgerSink();
  const storage = { ...memoryStorage(), close: vi.fn(async () => {}) };
  const ledger = createLedger({ sink, maxDelayMs: 60_000 });
  const gate = createGate({ storage, counters: hand.counters, ledger, unpriced: "free" });
  const olga = gate.as({ userId: "olga" });
  const { id: orgId } = await olga.orgs.create({ name: "Acme" });
  const { id: projectId } = await olga.projects.create({ orgId, name: "Search" });
  const { key, token } = await olga.keys.create({ orgId, projectId });
  return { hand, sink, storage, gate, token, keyId: key.id };
}

describe("a gate that is closed", () => {
  it("writes the end of every call whose settle or release was under way, and the extension", async () => {
    const { gate, sink, ledger, hand, admit } = accounting();
    const [one, two, three] = [await admit(), await admit(), await admit()];
    await ledger.flush();
    hand.hold();
    const answers = [
      gate.settle(one, { costUsd: 0.5 }),
      gate.release(two),
      gate.extend(three, { costUsd: 2 }),
    ];
    const last = gate.admit(KEY, CALL);
    await eventually(() => expect(hand.held).toHaveLength(4));
    const closing = gate.close();
    hand.letGo();
    await closing;
    expect(await Promise.all(answers)).toMatchObject([
      { settled: true },
      { settled: true },
      { admitted: true },
    ]);
    const four = passed(await last).reservation;
    expect(sink.events().map(({ id, outcome, costNanoUsd }) => [id, outcome, costNanoUsd])).toEqual([
      [one.id, "settled", 0.5e9],
      [two.id, "released", 0],
      [three.id, "open", 3e9],
      [four.id, "open", 1e9],
    ]);
  });

  it("is closed once, however often it is told, and whoever tells it waits until it is", async () => {
    const { gate, ledger, hand, admit } = accounting();
    const reservation = await admit();
    hand.hold();
    const settling = gate.settle(reservation, { costUsd: 0.5 });
    await eventually(() => expect(hand.held).toHaveLength(1));
    const first = gate.close();
    let isClosed = false;
    const second = gate.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isClosed).toBe(false);
    hand.letGo();
    await Promise.all([first, second, settling]);
    expect(ledger.status().pending).toBe(0);
    expect(hand.counters.close).toHaveBeenCalledTimes(1);
  });

  it("does not wait for ever for counters that do not answer", async () => {
    const { counters, hold } = countersByHand();
    const { gate } = world(BUDGET, { clock: Date, counters, countersTimeoutMs: 10 });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    hold();
    const settling = gate.settle(reservation, { costUsd: 1 });
    await Promise.all([gate.close(), expect(settling).rejects.toThrow("did not answer")]);
  });

  it.each<[string, () => Promise<void>, string]>([
    ["never close", () => new Promise(() => {}), "did not answer within 10 ms"],
    ["fail to close", () => Promise.reject(new Error("EPIPE")), "the counters failed"],
    [
      "throw when they are closed",
      () => {
        throw new Error("EPIPE");
      },
      "the counters failed",
    ],
  ])("tells of counters that %s, and closes the storage all the same", async (_, close, told) => {
    const { counters } = countersByHand();
    const storage = { ...memoryStorage(), close: vi.fn(async () => {}) };
    const gate = createGate({ storage, counters: { ...counters, close }, countersTimeoutMs: 10 });
    const closing = gate.close();
    await expect(closing).rejects.toThrow(CountersUnavailableError);
    await expect(closing).rejects.toThrow(told);
    expect(storage.close).toHaveBeenCalledTimes(1);
  });

  it("tells of events that are lost before anything else that failed", async () => {
    const { gate, hand, admit } = accounting({ sink: () => new Promise(() => {}), closeTimeoutMs: 10 });
    hand.counters.close = () => Promise.reject(new Error("EPIPE"));
    await gate.settle(await admit(), { costUsd: 1 });
    await expect(gate.close()).rejects.toThrow(LedgerUnavailableError);
  });

  it("rejects at every door, also of a control plane that was obtained before", async () => {
    const storage = memoryStorage();
    const gate = createGate({ storage, unpriced: "free" });
    const olga = gate.as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    const { id: projectId } = await olga.projects.create({ orgId, name: "Search" });
    const { token } = await olga.keys.create({ orgId, projectId });
    const reservation = passed(await gate.admit(token, CALL)).reservation;
    await gate.close();
    const touched = vi.fn();
    const names = ["get", "find", "commit"] as const;
    for (const name of names) vi.spyOn(storage, name).mockImplementation(touched);
    const calls: (() => unknown)[] = [
      () => gate.authorize({ userId: "olga" }, "org.view", { orgId }),
      () => gate.authenticate(token),
      () => gate.admit(token, CALL),
      () => gate.check(token, CALL),
      () => gate.settle(reservation, {}),
      () => gate.extend(reservation, { costUsd: 1 }),
      () => gate.release(reservation),
      () => gate.usage({ orgId }),
      () => gate.reconcile({ orgId }),
      () => gate.as({ userId: "olga" }),
      ...Object.values(olga).flatMap((noun) => Object.values<() => unknown>(noun)),
    ];
    expect(calls.length).toBeGreaterThan(50);
    for (const call of calls) await expect((async () => call())()).rejects.toThrow(ClosedError);
    expect(touched).not.toHaveBeenCalled();
  });

  it("drains the ledger and closes the counters where the storage cannot be written to", async () => {
    const { hand, gate, storage, sink, token } = await storedKey();
    await gate.settle(passed(await gate.admit(token, CALL)).reservation, { costUsd: 1 });
    storage.commit = async () => {
      throw new Error("storage is down");
    };
    await expect(gate.close()).rejects.toThrow("storage is down");
    expect(sink.events()).toMatchObject([{ outcome: "settled" }]);
    expect(hand.counters.close).toHaveBeenCalledTimes(1);
    expect(storage.close).toHaveBeenCalledTimes(1);
  });

  it("writes when the keys of calls that were under way were last used", async () => {
    const { hand, gate, storage, token, keyId } = await storedKey();
    hand.hold();
    const admitting = gate.admit(token, CALL);
    await eventually(() => expect(hand.held).toHaveLength(1));
    const closing = gate.close();
    await new Promise((resolve) => setImmediate(resolve));
    hand.letGo();
    await Promise.all([closing, admitting]);
    expect(await storage.get("keyUse", keyId)).toMatchObject({ id: keyId });
  });

  it("writes the ledger and closes everything where the storage hangs while it is told when keys were last used", async () => {
    const { hand, gate, storage, sink, token } = await storedKey();
    await gate.settle(passed(await gate.admit(token, CALL)).reservation, { costUsd: 1 });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      storage.commit = () => new Promise(() => {});
      const closing = expect(gate.close()).rejects.toThrow("last uses");
      await vi.advanceTimersByTimeAsync(10_000);
      expect(sink.events()).toMatchObject([{ outcome: "settled" }]);
      expect(hand.counters.close).toHaveBeenCalledTimes(1);
      expect(storage.close).toHaveBeenCalledTimes(1);
      await closing;
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a sink that hangs", () => {
  const hung: Partial<LedgerOptions> = {
    sink: () => new Promise(() => {}),
    maxPending: 4,
    closeTimeoutMs: 10,
  };

  it("holds up no admission and no settle under `drop`", async () => {
    const { gate, ledger, admit } = accounting({ ...hung, whenFull: "drop" });
    for (let i = 0; i < 20; i++) {
      expect(await gate.settle(await admit(), { costUsd: 1 })).toMatchObject({ settled: true });
    }
    expect(ledger.status()).toMatchObject({ pending: 4, dropped: 16 });
    await expect(gate.close()).rejects.toThrow(LedgerUnavailableError);
  });

  it("holds up no admission under `block`, only settles; and these no longer than until the gate is closed", async () => {
    const { gate, ledger, admit } = accounting({ ...hung, whenFull: "block" });
    for (let i = 0; i < 4; i++) await gate.settle(await admit(), { costUsd: 1 });
    const answered = vi.fn();
    const settling = gate.settle(await admit(), { costUsd: 1 }).then(answered);
    for (let i = 0; i < 20; i++) await admit();
    expect(answered).not.toHaveBeenCalled();
    expect(ledger.status()).toMatchObject({ pending: 5, dropped: 0 });
    await expect(gate.close()).rejects.toThrow("5 usage events were not written");
    await settling;
    expect(answered).toHaveBeenCalledWith(expect.objectContaining({ settled: true }));
  });

  it("does not wait for a settle that waits for room in the ledger, of a fallback either", async () => {
    const sink = { ...memoryLedgerSink(), write: () => new Promise<void>(() => {}) };
    const ledger = createLedger({
      sink,
      maxDelayMs: 1,
      maxPending: 1,
      whenFull: "block",
      closeTimeoutMs: 10,
    });
    const { gate } = world(BUDGET, { ledger, countersTimeoutMs: 3_600_000 });
    const first = passed(await gate.admit(KEY, CALL)).reservation;
    const second = passed(await gate.admit(KEY, CALL)).reservation;
    gate.settle(first, { costUsd: 1 }).catch(() => {});
    await eventually(() => expect(ledger.status().pending).toBe(1));
    gate.settle(second, { costUsd: 1, model: "another" }).catch(() => {});
    await eventually(() => expect(ledger.status().pending).toBe(2));
    await expect(gate.close()).rejects.toThrow(LedgerUnavailableError);
  });
});
