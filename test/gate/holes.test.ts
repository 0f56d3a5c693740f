import { createLedger, LedgerUnavailableError, memoryLedgerSink } from "tollgate";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import { createGate } from "../../src/gate/gate.js";
import { ValidationError } from "../../src/model/errors.js";
import { memoryStorage } from "../../src/storage/memory.js";
import { eventually } from "../eventually.js";
import { passed, readingOf, settled } from "../scenarios/answers.js";
import { aChain, limited, NOON, PRICES, world } from "./world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const USD = 1e9;
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });
const MIDNIGHT = NOON + 12 * 3_600_000;

/** Counters in memory that answer as those of a store do: by the ordinary way alone. */
function elsewhere(): Counters {
  const counters = memoryCounters();
  return {
    reserve: (request) => counters.reserve(request),
    settle: (request) => counters.settle(request),
    read: (query) => counters.read(query),
    close: () => counters.close(),
  };
}

describe("an extension", () => {
  it("gives nothing back where the call was said to cost more than its tokens do", async () => {
    const { gate } = world(BUDGET);
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.5 }));
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 10 })).reservation;
    expect(extended).toMatchObject({ costNanoUsd: 0.5 * USD });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.5 * USD });
  });

  it("after midnight is charged to the budgets of the admission's day, also to one that is new since", async () => {
    const { gate, clock, put } = world(aChain());
    clock.at = MIDNIGHT - 1_000;
    const { reservation } = passed(await gate.admit(KEY, CALL));
    put(BUDGET);
    clock.at = MIDNIGHT + 60_000;
    passed(await gate.extend(reservation, { costUsd: 0.2 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });
});

describe("a settle", () => {
  it("to what was reserved is no overdraft of its own, where another one has passed the max", async () => {
    const { gate } = world(BUDGET);
    const half = { ...CALL, costUsd: 0.5 };
    const [one, two] = [passed(await gate.admit(KEY, half)), passed(await gate.admit(KEY, half))];
    expect(settled(await gate.settle(one.reservation, { costUsd: 0.8 })).overdraft).toHaveLength(1);
    expect(settled(await gate.settle(two.reservation, { costUsd: 0.5 })).overdraft).toEqual([]);
  });

  it("of a fallback after midnight is charged to the admission's day by the limits of the model that answered", async () => {
    const { gate, clock } = world(
      aChain({
        org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } },
        key: { limits: { perModel: { "gpt-4o": { budget: { usd: 1, reset: "daily" } } } } },
      }),
    );
    clock.at = MIDNIGHT - 1_000;
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    clock.at = MIDNIGHT + 1_000;
    settled(await gate.settle(reservation, { model: "gpt-4o", costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("of a call that was sent again charges what was charged first, whatever limits there are since", async () => {
    const { gate, clock, put } = world(BUDGET);
    const call = { ...CALL, requestId: "r" };
    passed(await gate.admit(KEY, call));
    put(limited({ key: { rpm: 5, budget: { usd: 1, reset: "daily" } } }));
    clock.at += 60_000;
    const { reservation } = passed(await gate.admit(KEY, call));
    settled(await gate.settle(reservation, { costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.3 * USD });
  });
});

describe("a check", () => {
  it("of counters elsewhere tells the ledger of no call", async () => {
    const ledger = createLedger({ sink: memoryLedgerSink() });
    const { gate } = world(BUDGET, { ledger, counters: elsewhere() });
    passed(await gate.check(KEY, CALL));
    expect(ledger.status().pending).toBe(0);
    passed(await gate.admit(KEY, CALL));
    expect(ledger.status().pending).toBe(1);
  });
});

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

describe("while the counters are down and calls are allowed", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("an extension is not held to a share that only `local` knows", async () => {
    const store = elsewhere();
    let isDown = false;
    const counters: Counters = {
      ...store,
      reserve: (request) => (isDown ? Promise.reject(new Error("ECONNREFUSED")) : store.reserve(request)),
    };
    const { gate } = world(BUDGET, { counters, onCountersDown: "allow" });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    isDown = true;
    expect(passed(await gate.extend(reservation, { costUsd: 0.8 })).degraded).toBe("uncounted");
  });
});

describe("what this process counted by itself", () => {
  function local(limits: Parameters<typeof limited>[0]) {
    const store = elsewhere();
    const health = { isDown: false, isSlow: false };
    const slow: (() => void)[] = [];
    const counters: Counters = {
      ...store,
      async reserve(request) {
        if (health.isDown) throw new Error("ECONNREFUSED");
        if (health.isSlow) await new Promise<void>((resolve) => slow.push(resolve));
        return store.reserve(request);
      },
    };
    const made = world(limited(limits), {
      counters,
      onCountersDown: "local",
      localShare: 1,
      reservationTtlMs: 1_000,
    });
    return { ...made, health, slow };
  }

  it("takes no slot any more where the call has ended by itself meanwhile", async () => {
    const { gate, clock, health } = local({ key: { inFlight: 1, rpm: 9 } });
    health.isDown = true;
    passed(await gate.admit(KEY, CALL));
    clock.at += 2_000;
    health.isDown = false;
    await gate.check(KEY, CALL); // recovers
    await eventually(async () => expect(await readingOf(gate, "requests")).toMatchObject({ used: 1 }));
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
  });

  it("has nothing of a check in it", async () => {
    const { gate, health } = local({ key: { rpm: 9 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    passed(await gate.check(KEY, CALL));
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 0 });
  });

  it("is found by its request id also where the call was extended", async () => {
    const { gate, health } = local({ key: { rpm: 9, budget: { usd: 9, reset: "daily" } } });
    const call = { ...CALL, requestId: "r" };
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const { reservation } = passed(await gate.admit(KEY, call));
    passed(await gate.extend(reservation, { costUsd: 0.2 }));
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(passed(await gate.admit(KEY, call))).toMatchObject({
      replayed: true,
      reservation: { id: reservation.id },
    });
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 1 });
  });

  it("is told of as restored once, however many calls are answered while it is being given", async () => {
    const { gate, health, slow } = local({ key: { rpm: 9 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
    Object.assign(health, { isDown: false, isSlow: true });
    const checks = [gate.check(KEY, CALL), gate.check(KEY, CALL), gate.check(KEY, CALL)];
    await eventually(() => expect(slow).toHaveLength(3));
    for (const go of slow.splice(0)) go();
    for (const check of checks) passed(await check);
    await eventually(() => expect(slow).toHaveLength(1)); // what is given waits
    for (const go of slow.splice(0)) go();
    await eventually(() => expect(restored).toHaveBeenCalled());
    expect(restored).toHaveBeenCalledOnce();
  });
});

describe("reconcile", () => {
  const ORG = { orgId: "o1" };
  function accounting(options: object = {}, chain = BUDGET) {
    const sink = memoryLedgerSink();
    const clock = { at: NOON, now: () => clock.at };
    const open = () => {
      const ledger = createLedger({ sink, clock });
      return { ...world(chain, { ledger, clock, unpriced: "free", ...options }), ledger };
    };
    return { clock, open };
  }

  it("names a call as long as its reservation lives, be that longer than a day", async () => {
    const { clock, open } = accounting({ reservationTtlMs: 3 * 86_400_000 });
    const { gate } = open();
    const { id } = passed(await gate.admit(KEY, CALL)).reservation;
    clock.at += 2 * 86_400_000;
    expect(await gate.reconcile(ORG)).toMatchObject({ unended: [{ id, expired: false }] });
  });

  it("compares the budgets of a key of which the ledger has nothing but calls under way", async () => {
    const { open } = accounting();
    const { gate } = open();
    passed(await gate.admit(KEY, CALL));
    expect(await gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
  });

  it("rebuilds a day without what calls of the day before hold", async () => {
    const budget = [
      { usd: 1, reset: "daily" as const },
      { usd: 9, reset: "monthly" as const },
    ];
    const { clock, open } = accounting({}, limited({ key: { budget } }));
    const { gate, ledger } = open();
    clock.at = MIDNIGHT - 60_000;
    passed(await gate.admit(KEY, { ...CALL, costUsd: 0.3 })); // of yesterday, and open
    clock.at = MIDNIGHT + 60_000;
    const lost = open(); // whose counts are not here
    const { reservation } = passed(await lost.gate.admit(KEY, { ...CALL, costUsd: 0.5 }));
    settled(await lost.gate.settle(reservation, { costUsd: 0.5 }));
    await Promise.all([ledger.flush(), lost.ledger.flush()]);
    await gate.reconcile({ ...ORG, rebuild: true });
    const readings = await gate.usage({ ...ORG, keyId: "k1" });
    expect(readings.map(({ window, usd }) => [window, usd?.used])).toEqual([
      ["daily", 0.5],
      ["monthly", 0.8],
    ]);
  });
});

it("a chain that was loaded while its org went on changing is used once and not kept", async () => {
  const clock = { at: NOON, now: () => clock.at };
  let changed: (orgId?: string) => void = () => {};
  let isBusy = true;
  const key = vi.fn(async () => {
    if (isBusy) changed("o1");
    return aChain();
  });
  const gate = createGate({
    clock,
    unpriced: "free",
    directory: {
      key,
      principal: async () => undefined,
      watch: (told) => {
        changed = told;
        return () => {};
      },
    },
  });
  passed(await gate.admit(KEY, CALL));
  isBusy = false;
  key.mockClear();
  passed(await gate.admit(KEY, CALL));
  expect(key).toHaveBeenCalledOnce();
});

it("a write of when a key was last used makes no gate look its chain up again", async () => {
  const storage = memoryStorage();
  const gate = createGate({ storage, unpriced: "free" });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
  const { key, token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
  passed(await gate.admit(token, CALL));
  const find = vi.spyOn(storage, "find");
  await storage.commit([
    {
      kind: "keyUse",
      id: key.id,
      expectedVersion: 0,
      record: { id: key.id, orgId: "acme", version: 1, usedAt: 1 },
    },
  ]);
  passed(await gate.admit(token, CALL));
  expect(find).not.toHaveBeenCalled();
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

it("a reservation whose budget has no period any more is a mistake of the caller, and nothing is settled", async () => {
  const { gate } = world(BUDGET);
  const { reservation } = passed(await gate.admit(KEY, CALL));
  const told = JSON.parse(JSON.stringify(reservation));
  told.charges.periods = [null];
  await expect(gate.settle(told, {})).rejects.toThrow(ValidationError);
  settled(await gate.settle(reservation, {}));
});

it("an overdraft in a period that is over has been reset, and tells of no moment in the past", async () => {
  const { gate, clock } = world(BUDGET);
  clock.at = MIDNIGHT - 1_000;
  const { reservation } = passed(await gate.admit(KEY, CALL));
  clock.at = MIDNIGHT + 60_000;
  const { overdraft } = settled(await gate.settle(reservation, { costUsd: 2 }));
  expect(overdraft).toMatchObject([{ resetsAt: clock.at }]);
});

it("an admission at counters whose clock is ahead tells when their window is empty, not the caller's", async () => {
  const { gate, clock } = world(limited({ key: { rpm: 5 } }));
  clock.at += 90_000;
  passed(await gate.admit(KEY, CALL));
  clock.at -= 90_000;
  const { limits } = passed(await gate.admit(KEY, CALL));
  expect(limits).toMatchObject([{ resetsAt: NOON + 90_000 + 61_000 }]);
});

it("the pace of a key forgets nothing where a clock is set back for a moment", async () => {
  const told: number[] = [];
  const { gate, clock } = world(aChain(), { unpriced: "free" });
  gate.on("spendVelocity", ({ spentNanoUsd }) => told.push(spentNanoUsd));
  const spend = async (costUsd: number) => {
    const { reservation } = passed(await gate.admit(KEY, { model: "m", costUsd }));
    await gate.settle(reservation, { costUsd });
  };
  await spend(1);
  clock.at += 86_400_000 + 1_800_000;
  await spend(0.4);
  clock.at -= 1_200_000;
  await spend(0.2);
  clock.at += 1_200_000;
  await spend(0.5);
  expect(told).toEqual([1.1 * USD]);
});
