import {
  ClosedError,
  createLedger,
  LedgerUnavailableError,
  memoryCounters,
  memoryLedgerSink,
} from "tollgate";
import { describe, expect, it } from "vitest";
import { createGate } from "../../src/gate/gate.js";
import { memoryStorage } from "../../src/storage/memory.js";
import { eventually } from "../eventually.js";
import { passed, settled } from "../scenarios/answers.js";
import { aChain, elsewhere, limited, NOON, PRICES, world } from "./world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });

describe("a gate that closes", () => {
  it("waits for the settle of a fallback that looks its key up, and writes its end", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ sink, maxDelayMs: 1 });
    let answer: (() => void) | undefined;
    let isSlow = false;
    const chain = aChain({ org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } } });
    const clock = { at: NOON, now: () => clock.at };
    const gate = createGate({
      clock,
      ledger,
      prices: PRICES,
      directory: {
        async key() {
          if (isSlow) await new Promise<void>((resolve) => (answer = resolve));
          return chain;
        },
        principal: async () => undefined,
      },
    });
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    isSlow = true;
    clock.at += 60_000;
    const settling = gate.settle(reservation, { model: "gpt-4o", costUsd: 0.3 });
    await eventually(() => expect(answer).toBeDefined());
    const closing = gate.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    answer?.();
    settled(await settling);
    await closing;
    expect(sink.events()).toMatchObject([{ outcome: "settled", model: "gpt-4o" }]);
  });

  /** A gate whose directory, once held, answers when it is let go. */
  function heldDirectory(countersTimeoutMs = 30_000) {
    const sink = memoryLedgerSink();
    const counters = memoryCounters();
    const held: (() => void)[] = [];
    let isHeld = false;
    const gate = createGate({
      clock: { now: () => NOON },
      ledger: createLedger({ sink, maxDelayMs: 1 }),
      counters,
      countersTimeoutMs,
      cache: { maxKeys: 1 },
      directory: {
        async key(ref) {
          if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
          return "keyId" in ref ? { ...BUDGET, key: { ...BUDGET.key, id: ref.keyId } } : undefined;
        },
        principal: async () => undefined,
      },
    });
    return {
      gate,
      sink,
      counters,
      async hold() {
        passed(await gate.admit({ keyId: "another" }, CALL)); // the only chain that is kept
        isHeld = true;
      },
      looking: (calls: number) => eventually(() => expect(held).toHaveLength(calls)),
      letGo: () => held.map((answer) => answer()),
    };
  }

  it("waits for an admission and an extension that look their key up, and writes both", async () => {
    const { gate, sink, hold, looking, letGo } = heldDirectory();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    await hold();
    const answers = Promise.all([
      gate.extend(reservation, { costUsd: 0.2 }),
      gate.admit({ keyId: "k2" }, CALL),
    ]);
    await looking(2);
    const closing = gate.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    letGo();
    for (const answer of await answers) passed(answer);
    await closing;
    const told = sink.events().map(({ keyId, costNanoUsd }) => [keyId, costNanoUsd]);
    expect(told.sort()).toEqual([
      ["another", 0.1e9],
      ["k1", 0.3e9],
      ["k2", 0.1e9],
    ]);
  });

  it("charges nobody whose key is found only when it is closed", async () => {
    const { gate, counters, hold, looking, letGo } = heldDirectory(10);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    await hold();
    const answers = [gate.extend(reservation, { costUsd: 0.2 }), gate.admit({ keyId: "k2" }, CALL)];
    await looking(2);
    const before = counters.dump();
    await gate.close();
    letGo();
    for (const answer of answers) await expect(answer).rejects.toThrow(ClosedError);
    expect(counters.dump()).toEqual(before);
  });

  it("lets a write of a control plane end before it closes the storage", async () => {
    const storage = memoryStorage();
    const { get } = storage;
    let isClosed = false;
    storage.close = async () => {
      isClosed = true;
    };
    const gate = createGate({ storage });
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    storage.get = async (kind, id) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (isClosed) throw new Error("the storage is closed");
      return get(kind, id);
    };
    const writing = olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    const asking = gate.authorize({ userId: "olga" }, "org.view", { orgId: "acme" });
    await gate.close();
    expect(await writing).toMatchObject({ id: "web" });
    expect(await asking).toMatchObject({ allowed: true });
  });

  it("does not wait for a settle that waits for room in the ledger, of counters elsewhere either", async () => {
    const sink = { ...memoryLedgerSink(), write: () => new Promise<void>(() => {}) };
    const ledger = createLedger({
      sink,
      maxDelayMs: 1,
      maxPending: 1,
      whenFull: "block",
      closeTimeoutMs: 10,
    });
    const { gate } = world(BUDGET, { ledger, counters: elsewhere(), countersTimeoutMs: 3_600_000 });
    const first = passed(await gate.admit(KEY, CALL)).reservation;
    const second = passed(await gate.admit(KEY, CALL)).reservation;
    gate.settle(first, { costUsd: 0.1 }).catch(() => {});
    await eventually(() => expect(ledger.status().pending).toBe(1));
    gate.settle(second, { costUsd: 0.1 }).catch(() => {});
    await eventually(() => expect(ledger.status().pending).toBe(2));
    await expect(gate.close()).rejects.toThrow(LedgerUnavailableError);
  }, 10_000);
});

it("closing tells of events that are lost before a storage that could not be written to", async () => {
  const storage = memoryStorage();
  const sink = () => new Promise<void>(() => {});
  const gate = createGate({
    storage,
    unpriced: "free",
    ledger: createLedger({ sink, maxDelayMs: 1, closeTimeoutMs: 10 }),
  });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
  const { token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
  passed(await gate.admit(token, CALL));
  storage.commit = async () => {
    throw new Error("storage is down");
  };
  await expect(gate.close()).rejects.toThrow(LedgerUnavailableError);
});
