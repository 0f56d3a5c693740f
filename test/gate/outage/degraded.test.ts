import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Counters } from "../../../src/counters/counters.js";
import { memoryCounters } from "../../../src/counters/memory.js";
import type { GateEvents } from "../../../src/gate/events/events.js";
import type { GateOptions } from "../../../src/gate/options.js";
import { createLedger } from "../../../src/ledger/ledger.js";
import { memoryLedgerSink } from "../../../src/ledger/memory-sink.js";
import type { KeyChain } from "../../../src/model/chain.js";
import { ConflictError, CountersUnavailableError, ValidationError } from "../../../src/model/errors.js";
import { eventually } from "../../eventually.js";
import { passed, readingOf, refusedBy, settled } from "../../scenarios/answers.js";
import { aChain, elsewhere, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

type Health =
  | "up"
  | "rejects"
  | "throws"
  | "hangs"
  | "answers after it was given up"
  | "does it and loses the answer"
  | "does it and loses the answer after it was given up";

/** Counters in another process that can be down in every way. */
class Store implements Counters {
  health: Health = "up";
  error: Error = new Error("ECONNREFUSED");
  asked = 0;
  readonly behind = memoryCounters();
  /** Does each step twice, and gives the second answer: as a client does that was connected again. */
  sendsAgain = false;
  /** Lets what was held back reach the store and answer. */
  late: (() => void)[] = [];

  reserve(request: Parameters<Counters["reserve"]>[0]) {
    return this.#answer(() => this.behind.reserve(request));
  }

  settle(request: Parameters<Counters["settle"]>[0]) {
    return this.#answer(() => this.behind.settle(request));
  }

  read(query: Parameters<Counters["read"]>[0]) {
    return this.#answer(() => this.behind.read(query));
  }

  async close() {}

  #answer<T>(once: () => Promise<T>): Promise<T> {
    this.asked++;
    const step = this.sendsAgain ? () => once().then(once) : once;
    switch (this.health) {
      case "up":
        return step();
      case "rejects":
        return Promise.reject(this.error);
      case "throws":
        throw this.error;
      case "hangs":
        return new Promise(() => {});
      case "does it and loses the answer":
        return step().then(() => Promise.reject(this.error));
      case "does it and loses the answer after it was given up":
        return new Promise((_, reject) => this.late.push(() => step().then(() => reject(this.error))));
      case "answers after it was given up":
        return new Promise((resolve, reject) => this.late.push(() => step().then(resolve, reject)));
    }
  }
}

const OUTAGES = ["rejects", "throws", "hangs"] as const;

const LIMITS = { rpm: 2, tpm: 1_000, budget: { usd: 1, reset: "daily" as const } };

function setUp(
  options: GateOptions = {},
  chain: KeyChain | readonly KeyChain[] = limited({ project: LIMITS, key: { inFlight: 5 } }),
) {
  const store = new Store();
  // As long as a gate waits that nobody told how long.
  const made = world(chain, { counters: store, countersTimeoutMs: undefined, ...options });
  const degraded: GateEvents["degraded"][] = [];
  made.gate.on("degraded", (event) => degraded.push(event));
  return { ...made, store, degraded };
}

/** What a promise comes to once the time that a gate waits has passed, and surely nothing else has. */
async function afterTimeout<T>(asked: Promise<T>, timeoutMs = 1_000): Promise<T> {
  asked.catch(() => {});
  await vi.advanceTimersByTimeAsync(timeoutMs);
  return asked;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe.each(OUTAGES)("while the counters are down (%s)", (outage) => {
  it("deny, the default, answers counters_unavailable: no reason that tells the caller to slow down or to pay", async () => {
    const { gate, store, degraded } = setUp();
    store.health = outage;
    for (const ask of [gate.admit, gate.check]) {
      const refusal = refusedBy(await afterTimeout(ask(KEY, CALL)));
      expect(refusal).toEqual({
        admitted: false,
        reason: "counters_unavailable",
        message: refusal.message,
        limits: [],
      });
    }
    expect(degraded.map(({ mode }) => mode)).toEqual(["deny", "deny"]);
  });

  it("deny tells whoever listens for refusals, with whose call it was", async () => {
    const { gate, store } = setUp();
    const heard: unknown[] = [];
    gate.on("refusal", (event) => heard.push(event));
    store.health = outage;
    await afterTimeout(gate.admit(KEY, CALL));
    expect(heard).toMatchObject([{ refusal: { reason: "counters_unavailable" }, context: { keyId: "k1" } }]);
  });

  it("allow admits every call and says that nothing counted it", async () => {
    const { gate, store, degraded } = setUp({ onCountersDown: "allow" });
    store.health = outage;
    for (let i = 0; i < 5; i++) {
      const admission = passed(await afterTimeout(gate.admit(KEY, CALL)));
      expect(admission).toMatchObject({ degraded: "uncounted", models: ["gpt-4o"] });
      expect(admission.limits).toEqual([]);
      expect(admission.reservation.degraded).toBe("uncounted");
    }
    expect(degraded.map(({ mode }) => mode)).toEqual(Array(5).fill("uncounted"));
    store.health = "up";
    expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 0 });
  });

  it("allow settles, extends and releases what was not counted without asking the counters", async () => {
    const { gate, store } = setUp({ onCountersDown: "allow" });
    store.health = outage;
    const admission = passed(await afterTimeout(gate.admit(KEY, CALL)));
    const { asked } = store;
    const { reservation } = passed(await gate.extend(admission.reservation, { maxOutputTokens: 50 }));
    expect(reservation).toMatchObject({ outputTokens: 150, degraded: "uncounted" });
    const { charged } = settled(await gate.settle(JSON.stringify(reservation), { outputTokens: 7 }));
    expect(charged).toMatchObject({
      inputTokens: 100,
      outputTokens: 7,
      costNanoUsd: 100 * 2_500 + 7 * 10_000,
    });
    expect(store.asked).toBe(asked);
    const other = passed(await afterTimeout(gate.admit(KEY, CALL)));
    settled(await gate.release(other.reservation));
    expect(store.asked).toBe(asked + 1);
  });

  it("allow settles what was not counted once, and not after its end", async () => {
    const { gate, store, clock } = setUp({ onCountersDown: "allow", reservationTtlMs: 1_000 });
    const settlements: unknown[] = [];
    gate.on("settlement", ({ settlement }) => settlements.push(settlement.settled));
    store.health = outage;
    const { reservation } = passed(await afterTimeout(gate.admit(KEY, CALL)));
    const late = passed(await afterTimeout(gate.admit(KEY, CALL))).reservation;
    settled(await gate.settle(JSON.stringify(reservation), { outputTokens: 7 }));
    for (const again of [gate.settle(reservation, {}), gate.release(reservation)])
      expect(await again).toEqual({ settled: false, reason: "already_settled" });
    clock.at += 1_000;
    expect(await gate.settle(late, {})).toEqual({ settled: false, reason: "expired" });
    expect(settlements.filter(Boolean)).toHaveLength(1);
  });

  it("allow shows no call what a caller did to the admission of another", async () => {
    const { gate, store } = setUp({ onCountersDown: "allow" });
    store.health = "rejects";
    const { shadow, reservation } = passed(await gate.admit(KEY, CALL));
    const { limits, amounts, periods } = reservation.charges;
    (amounts as unknown[]).push("of this call"); // its own
    for (const shared of [shadow, limits, periods]) {
      expect(() => (shared as unknown[]).push("of this call")).toThrow(TypeError);
    }
    const next = passed(await gate.admit(KEY, CALL));
    expect(next.shadow).toEqual([]);
    expect(next.reservation.charges).toEqual({ limits: [], amounts: [], periods: [] });
  });

  it("allow extends nothing of what was not counted once that is settled or over", async () => {
    const { gate, store, clock } = setUp({ onCountersDown: "allow", reservationTtlMs: 1_000 });
    store.health = outage;
    const ended = passed(await afterTimeout(gate.admit(KEY, CALL))).reservation;
    const late = passed(await afterTimeout(gate.admit(KEY, CALL))).reservation;
    settled(await gate.settle(ended, { outputTokens: 7 }));
    await expect(gate.extend(ended, { maxOutputTokens: 1 })).rejects.toThrow(/already_settled/);
    clock.at += 1_000;
    await expect(gate.extend(late, { maxOutputTokens: 1 })).rejects.toThrow(/expired/);
  });

  it("local refuses an extension by more than this process may use by itself", async () => {
    const { gate, store } = setUp({ onCountersDown: "local", localShare: 0.5 });
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.1 }));
    store.health = outage;
    const extend = (costUsd: number) => afterTimeout(gate.extend(reservation, { costUsd }));
    expect(refusedBy(await extend(1.1)).reason).toBe("too_large");
    expect(refusedBy(await extend(0.6)).reason).toBe("counters_unavailable");
    expect(passed(await extend(0.5)).degraded).toBe("uncounted");
  });

  it("local goes on limiting, by what this process has seen since, and says so", async () => {
    const { gate, store, degraded } = setUp({ onCountersDown: "local", localShare: 1 });
    passed(await gate.admit(KEY, CALL));
    store.health = outage;
    for (let i = 0; i < 2; i++) {
      const admission = passed(await afterTimeout(gate.admit(KEY, CALL)));
      expect(admission.degraded).toBe("local");
      expect(admission.limits.find(({ meter }) => meter === "requests")?.used).toBe(i + 1);
    }
    const refusal = refusedBy(await afterTimeout(gate.admit(KEY, CALL)));
    expect(refusal).toMatchObject({ reason: "rate_limited", scope: "project", retryAfterMs: 61_000 });
    expect(refusedBy(await afterTimeout(gate.check(KEY, CALL))).reason).toBe("rate_limited");
    expect(degraded.map(({ mode }) => mode)).toEqual(Array(4).fill("local"));
  });

  it("local settles where it was charged, during the outage and after it", async () => {
    const { gate, store, clock } = setUp({ onCountersDown: "local", localShare: 1 });
    store.health = outage;
    const first = passed(await afterTimeout(gate.admit(KEY, CALL)));
    const second = passed(await afterTimeout(gate.admit(KEY, CALL)));
    settled(await gate.settle(first.reservation, { outputTokens: 0 }));
    store.health = "up";
    settled(await gate.settle(JSON.stringify(second.reservation), { outputTokens: 0 }));
    expect(await gate.settle(second.reservation, {})).toEqual({ settled: false, reason: "already_settled" });
    expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 0 });

    store.health = outage;
    clock.at += 61_000;
    const third = passed(await afterTimeout(gate.admit(KEY, CALL)));
    const spent = 2 * 100 * 2_500 + 100 * 2_500 + 100 * 10_000;
    expect(third.limits.find(({ meter }) => meter === "cost")?.used).toBe(spent);
    expect(third.limits.find(({ meter }) => meter === "inFlight")?.used).toBe(1);
  });

  it("says nothing of it once the counters are back", async () => {
    for (const onCountersDown of ["deny", "allow", "local"] as const) {
      const { gate, store, degraded } = setUp({ onCountersDown });
      store.health = outage;
      await afterTimeout(gate.admit(KEY, CALL));
      store.health = "up";
      const admission = passed(await gate.admit(KEY, CALL));
      expect("degraded" in admission).toBe(false);
      expect(degraded).toHaveLength(1);
    }
  });

  it("answers what needs no count as ever, and asks no counters for it", async () => {
    const { gate, store, degraded, tokens } = setUp(
      {},
      aChain({ key: { models: ["free"], limits: LIMITS } }),
    );
    store.health = outage;
    expect(refusedBy(await gate.admit("sk-tg-nonsense", CALL)).reason).toBe("invalid_key");
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("model_not_allowed");
    expect(await gate.authenticate(tokens.get("k1") ?? "")).toMatchObject({ authenticated: true });
    expect(store.asked).toBe(0);
    expect(degraded).toEqual([]);
  });

  it("rejects a settle or a release with CountersUnavailableError, and a second try settles it once", async () => {
    const { gate, store } = setUp();
    for (const close of [
      (reservation: Parameters<typeof gate.release>[0]) => gate.settle(reservation, { outputTokens: 5 }),
      gate.release,
    ]) {
      const { reservation } = passed(await gate.admit(KEY, CALL));
      store.health = outage;
      for (let i = 0; i < 2; i++) {
        await expect(afterTimeout(close(reservation))).rejects.toThrow(CountersUnavailableError);
      }
      store.health = "up";
      settled(await close(reservation));
      expect(await close(reservation)).toEqual({ settled: false, reason: "already_settled" });
    }
    expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 105 });
  });

  it("rejects a reading with CountersUnavailableError, in every mode", async () => {
    for (const onCountersDown of ["deny", "allow", "local"] as const) {
      const { gate, store } = setUp({ onCountersDown });
      store.health = outage;
      await expect(afterTimeout(gate.usage({ orgId: "o1", keyId: "k1" }))).rejects.toMatchObject({
        code: "counters_unavailable",
      });
    }
  });

  it("answers an extension as deny says, with counters_unavailable, and leaves the reservation as it was", async () => {
    const { gate, store } = setUp();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    store.health = outage;
    const answer = await afterTimeout(gate.extend(reservation, { maxOutputTokens: 10 }));
    expect(refusedBy(answer).reason).toBe("counters_unavailable");
    store.health = "up";
    expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 200 });
  });

  it.each(["deny", "allow", "local"] as const)("%s tells once that they are back", async (onCountersDown) => {
    const { gate, store, degraded } = setUp({ onCountersDown, localShare: 0.000_001 });
    const restored = vi.fn();
    gate.on("restored", restored);
    store.health = outage;
    for (let i = 0; i < 3; i++) await afterTimeout(gate.admit(KEY, CALL));
    expect(degraded).toHaveLength(3);
    expect(restored).not.toHaveBeenCalled();
    store.health = "up";
    for (let i = 0; i < 3; i++) await gate.admit(KEY, CALL);
    await vi.advanceTimersByTimeAsync(0);
    expect(restored).toHaveBeenCalledOnce();
  });

  it("leaves no rejection that nobody handles", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const { gate, store } = setUp({ onCountersDown: "allow" });
      store.health = outage;
      await afterTimeout(gate.admit(KEY, CALL));
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off("unhandledRejection", note);
    }
    expect(unhandled).toEqual([]);
  });
});

describe("countersTimeoutMs", () => {
  it.each([1, 250, 1_000, 30_000])(
    "bounds the wait for counters that hang: %i ms and not one more",
    async (timeoutMs) => {
      const { gate, store } = setUp({ countersTimeoutMs: timeoutMs });
      const { reservation } = passed(await gate.admit(KEY, CALL));
      store.health = "hangs";
      for (const ask of [
        () => gate.admit(KEY, CALL),
        () => gate.check(KEY, CALL),
        () => gate.settle(reservation, {}),
        () => gate.release(reservation),
        () => gate.usage({ orgId: "o1", keyId: "k1" }),
        () => gate.extend(reservation, { maxOutputTokens: 1 }),
      ]) {
        let ended = false;
        const end = () => {
          ended = true;
        };
        ask().then(end, end);
        await vi.advanceTimersByTimeAsync(timeoutMs - 1);
        expect(ended).toBe(false);
        await vi.advanceTimersByTimeAsync(1);
        expect(ended).toBe(true);
      }
    },
  );

  it("is a second where nothing is said", async () => {
    const { gate, store } = setUp();
    store.health = "hangs";
    let ended = false;
    gate.admit(KEY, CALL).then(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toBe(true);
  });

  it("leaves no timer behind when the counters answer", async () => {
    const { gate } = setUp();
    passed(await gate.admit(KEY, CALL));
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 31 * 86_400_000])(
    "is not %d: a timer holds at most 2^31 - 1 ms, and ends at once above that",
    (countersTimeoutMs) => {
      expect(() => setUp({ countersTimeoutMs })).toThrow(ValidationError);
    },
  );
});

describe("counters that answer too late", () => {
  it.each([
    ["deny", false],
    ["allow", false],
    ["local", false],
    ["deny", true],
    ["allow", true],
    ["local", true],
  ] as const)(
    "give back what they charged for a call that nobody waited for: %s, sent again by the client: %s",
    async (onCountersDown, sendsAgain) => {
      const { gate, store } = setUp({ onCountersDown });
      store.sendsAgain = sendsAgain;
      store.health = "answers after it was given up";
      // Who was refused with a request id comes again.
      const named = onCountersDown === "deny" ? CALL : { ...CALL, requestId: "r" };
      for (const call of [named, CALL, CALL]) await afterTimeout(gate.admit(KEY, call));
      store.health = "up";
      for (const answer of store.late) answer();
      store.sendsAgain = false;
      await eventually(async () => {
        for (const meter of ["requests", "tokens", "cost"] as const) {
          expect(await readingOf(gate, meter, "project")).toMatchObject({ used: 0 });
        }
        expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
      });
      expect(passed(await gate.admit(KEY, CALL)).degraded).toBeUndefined();
    },
  );

  it.each(["rejects", "throws"] as const)(
    "and fail at giving it back (%s) keep the charge until they answer again, and no rejection is left unhandled",
    async (outage) => {
      const unhandled: unknown[] = [];
      const note = (reason: unknown) => unhandled.push(reason);
      process.on("unhandledRejection", note);
      try {
        const { gate, store } = setUp();
        store.health = "answers after it was given up";
        refusedBy(await afterTimeout(gate.admit(KEY, CALL)));
        store.health = outage;
        for (const answer of store.late) answer();
        await vi.advanceTimersByTimeAsync(1);
        await new Promise((resolve) => setImmediate(resolve));
        store.health = "up";
        expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 1 });
        settled(await gate.release(passed(await gate.admit(KEY, CALL)).reservation));
        await eventually(async () =>
          expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 0 }),
        );
      } finally {
        process.off("unhandledRejection", note);
      }
      expect(unhandled).toEqual([]);
    },
  );

  it("have not charged twice, where the retry of an admission has the same request id", async () => {
    const { gate, store } = setUp();
    store.health = "answers after it was given up";
    refusedBy(await afterTimeout(gate.admit(KEY, { ...CALL, requestId: "r" })));
    store.health = "up";
    for (const answer of store.late) answer();
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, requestId: "r" }));
    settled(await gate.settle(reservation, { outputTokens: 0 }));
    expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 1 });
    expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 100 });
  });

  it.each(["settled", "released"] as const)(
    "have closed the call all the same, and the ledger and whoever listens are told so: %s",
    async (how) => {
      const sink = memoryLedgerSink();
      const ledger = createLedger({ sink });
      const chain = limited({ key: { budget: { usd: 1, reset: "daily" }, rpd: 5 } });
      const { gate, store } = setUp({ ledger }, chain);
      const heard: unknown[] = [];
      gate.on("overdraft", ({ limits }) => heard.push(limits.map(({ meter }) => meter)));
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.5 }));
      store.health = "answers after it was given up";
      const end = () =>
        how === "settled" ? gate.settle(reservation, { costUsd: 1.5 }) : gate.release(reservation);
      await expect(afterTimeout(end())).rejects.toThrow(CountersUnavailableError);
      store.health = "up";
      const [late] = store.late;
      late?.();
      await vi.advanceTimersByTimeAsync(0);
      expect(await end()).toEqual({ settled: false, reason: "already_settled" });
      await ledger.flush();
      expect(sink.events()).toMatchObject([
        { id: reservation.id, outcome: how, costNanoUsd: how === "settled" ? 1.5e9 : 0 },
      ]);
      expect(heard).toEqual(how === "settled" ? [["cost"]] : []);
    },
  );

  it.each(["settled", "released"] as const)(
    "or lose the answer have closed the call, and the ledger is told what came of it with the next try: %s",
    async (how) => {
      const sink = memoryLedgerSink();
      const ledger = createLedger({ sink });
      const { gate, store } = setUp({ ledger }, limited({ key: { budget: { usd: 5, reset: "daily" } } }));
      const end = async (lost: "does it and loses the answer" | "rejects") => {
        const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
        const tryIt = (costUsd: number) =>
          how === "settled" ? gate.settle(reservation, { costUsd }) : gate.release(reservation);
        store.health = lost;
        await expect(tryIt(0.5)).rejects.toThrow(CountersUnavailableError);
        store.health = "up";
        return tryIt(0.7);
      };
      expect(await end("does it and loses the answer")).toEqual({
        settled: false,
        reason: "already_settled",
      });
      settled(await end("rejects"));
      await ledger.flush();
      expect(sink.events().map(({ outcome, costNanoUsd }) => [outcome, costNanoUsd])).toEqual(
        how === "settled"
          ? [
              [how, 0.5e9],
              [how, 0.7e9],
            ]
          : [
              [how, 0],
              [how, 0],
            ],
      );
      expect(await gate.reconcile({ orgId: "o1" })).toMatchObject({ differences: [], unended: [] });
    },
  );

  it.each(["up", "answers after it was given up"] as const)(
    "or lose the answer tell the ledger no second end of a call that they had closed before: %s",
    async (health) => {
      const ends: unknown[] = [];
      const ledger = createLedger({
        sink: async (events) => {
          for (const { outcome, costNanoUsd } of events)
            if (outcome !== "open") ends.push([outcome, costNanoUsd]);
        },
      });
      const { gate, store } = setUp({ ledger }, limited({ key: { budget: { usd: 5, reset: "daily" } } }));
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
      store.health = health;
      await afterTimeout(gate.settle(reservation, { costUsd: 0.5 })).catch(() => {});
      for (const answer of store.late) answer();
      await vi.advanceTimersByTimeAsync(0);
      await ledger.flush();
      expect(ends).toEqual([["settled", 0.5e9]]);
      store.health = "does it and loses the answer";
      await expect(gate.release(reservation)).rejects.toThrow(CountersUnavailableError);
      store.health = "up";
      expect(await gate.release(reservation)).toMatchObject({ reason: "already_settled" });
      await ledger.flush();
      expect(ends).toEqual([["settled", 0.5e9]]);
    },
  );

  it("or lose the answer let the next try fail where the ledger does, as any settle", async () => {
    const broken = new Error("the ledger is broken");
    const ledger = { ...createLedger({ sink: memoryLedgerSink() }), closed: () => Promise.reject(broken) };
    const { gate, store } = setUp({ ledger });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    store.health = "does it and loses the answer";
    await expect(gate.settle(reservation, {})).rejects.toThrow(CountersUnavailableError);
    store.health = "up";
    await expect(gate.settle(reservation, {})).rejects.toThrow(broken);
  });

  it("have settled all the same, so that the second try is told already_settled and charges nothing", async () => {
    const { gate, store } = setUp();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    store.health = "answers after it was given up";
    await expect(afterTimeout(gate.settle(reservation, { outputTokens: 1 }))).rejects.toThrow(
      CountersUnavailableError,
    );
    store.health = "up";
    for (const answer of store.late) answer();
    expect(await gate.settle(reservation, { outputTokens: 90 })).toEqual({
      settled: false,
      reason: "already_settled",
    });
    expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 101 });
  });
});

describe("counters that answer a reserve too late, while its request id is tried again", () => {
  const chain = limited({ key: { budget: { usd: 1, reset: "daily" } } });
  const named = { ...CALL, costUsd: 0.4, requestId: "r" };

  function heldBack(onCountersDown: "allow" | "local") {
    const made = setUp({ onCountersDown, localShare: 1 }, chain);
    const { store } = made;
    const reserve = store.reserve.bind(store);
    const answers: (() => void)[] = [];
    /** Reserves one more at once, and answers when it is told to. */
    const holdOne = () =>
      vi.spyOn(store, "reserve").mockImplementationOnce(async (request) => {
        const answer = await reserve(request);
        await new Promise<void>((resolve) => answers.push(resolve));
        return answer;
      });
    const answerNext = async () => {
      answers.shift()?.();
      await vi.advanceTimersByTimeAsync(0);
    };
    return { ...made, holdOne, answerNext };
  }

  const MODES = ["allow", "local"] as const;

  it.each(MODES)("leave it to the try that has found it: %s", async (onCountersDown) => {
    const { gate, holdOne, answerNext } = heldBack(onCountersDown);
    holdOne();
    const first = passed(await afterTimeout(gate.admit(KEY, named)));
    settled(await gate.release(first.reservation));
    const second = passed(await gate.admit(KEY, named));
    expect(second.replayed).toBe(true);
    await answerNext();
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.4 } });
    settled(await gate.settle(second.reservation, { costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.3 } });
  });

  it.each(MODES)("leave it to the try that is finding it: %s", async (onCountersDown) => {
    const { gate, holdOne, answerNext } = heldBack(onCountersDown);
    holdOne();
    const first = passed(await afterTimeout(gate.admit(KEY, named)));
    settled(await gate.release(first.reservation));
    holdOne();
    const trying = gate.admit(KEY, named);
    await answerNext();
    settled(await gate.release(passed(await gate.admit(KEY, CALL)).reservation));
    await answerNext();
    const second = passed(await trying);
    expect(second.replayed).toBe(true);
    settled(await gate.settle(second.reservation, { costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.3 } });
  });

  it.each(MODES)("give it back before a try that begins meanwhile: %s", async (onCountersDown) => {
    const { gate, store, holdOne, answerNext } = heldBack(onCountersDown);
    holdOne();
    const first = passed(await afterTimeout(gate.admit(KEY, named)));
    settled(await gate.release(first.reservation));
    store.health = "answers after it was given up"; // as a settle that is redirected, while what is sent after it is not
    await answerNext();
    store.health = "up";
    const trying = gate.admit(KEY, named);
    await vi.advanceTimersByTimeAsync(0);
    for (const go of store.late.splice(0)) go();
    const second = passed(await trying);
    settled(await gate.settle(second.reservation, { costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.3 } });
  });

  it.each(MODES)("give it back where that try is given up, too: %s", async (onCountersDown) => {
    const { gate, holdOne, answerNext } = heldBack(onCountersDown);
    holdOne();
    const first = passed(await afterTimeout(gate.admit(KEY, named)));
    settled(await gate.release(first.reservation));
    holdOne();
    const trying = gate.admit(KEY, named);
    await answerNext();
    settled(await gate.release(passed(await afterTimeout(trying)).reservation));
    await answerNext();
    settled(await gate.release(passed(await gate.admit(KEY, CALL)).reservation));
    await eventually(async () => expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 }));
  });

  it.each(MODES)("give it back where only a check has found it: %s", async (onCountersDown) => {
    const { gate, holdOne, answerNext } = heldBack(onCountersDown);
    holdOne();
    const first = passed(await afterTimeout(gate.admit(KEY, named)));
    settled(await gate.release(first.reservation));
    passed(await gate.check(KEY, named));
    await answerNext();
    await eventually(async () => expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 }));
  });
});

describe("counters whose answer to a reserve is lost", () => {
  const LOSSES = [
    "does it and loses the answer",
    "does it and loses the answer after it was given up",
  ] as const;
  const chain = limited({ key: { rpm: 2_000, inFlight: 2_000 } });

  it.each(
    (["deny", "allow", "local"] as const).flatMap((mode) => LOSSES.map((loss) => [mode, loss] as const)),
  )(
    "give back what they charged once they answer again, as nobody waits for it: %s, %s",
    async (onCountersDown, loss) => {
      const { gate, store } = setUp({ onCountersDown, localShare: 1 }, chain);
      store.health = loss;
      const calls: unknown[] = [];
      for (let call = 0; call < 40; call++) calls.push(await afterTimeout(gate.admit(KEY, CALL)));
      for (const answer of store.late) answer();
      await vi.advanceTimersByTimeAsync(0);
      store.health = "up";
      const counted = onCountersDown === "local" ? 40 : 0;
      passed(await gate.admit(KEY, CALL));
      await eventually(async () => {
        expect(await readingOf(gate, "requests")).toMatchObject({ used: counted + 1 });
        expect(await readingOf(gate, "inFlight")).toMatchObject({ used: counted + 1 });
      });
    },
  );

  it.each((["allow", "local"] as const).flatMap((mode) => LOSSES.map((loss) => [mode, loss] as const)))(
    "give it back also with a request id, where the call passed without them: %s, %s",
    async (onCountersDown, loss) => {
      const { gate, store } = setUp({ onCountersDown, localShare: 1 }, chain);
      store.health = loss;
      const { reservation } = passed(await afterTimeout(gate.admit(KEY, { ...CALL, requestId: "r" })));
      for (const answer of store.late) answer();
      await vi.advanceTimersByTimeAsync(0);
      store.health = "up";
      passed(await gate.admit(KEY, CALL));
      const counted = onCountersDown === "local" ? 2 : 1;
      await eventually(async () => {
        expect(await readingOf(gate, "requests")).toMatchObject({ used: counted });
        expect(await readingOf(gate, "inFlight")).toMatchObject({ used: counted });
      });
      settled(await gate.settle(reservation, {}));
    },
  );

  it("keep it for a try of the same request id that finds it, though the one before was counted here", async () => {
    const { gate, store } = setUp({ onCountersDown: "local", localShare: 1 }, chain);
    const named = { ...CALL, requestId: "r" };
    store.health = "does it and loses the answer";
    const first = passed(await gate.admit(KEY, named));
    settled(await gate.settle(first.reservation, {}));
    store.health = "up";
    const second = passed(await gate.admit(KEY, named));
    expect(second.replayed).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    settled(await gate.settle(second.reservation, {}));
    await eventually(async () => expect(await readingOf(gate, "requests")).toMatchObject({ used: 2 }));
  });

  it("keep it with a request id for the try that takes the reservation over", async () => {
    const { gate, store } = setUp({}, chain);
    const named = { ...CALL, requestId: "r" };
    store.health = "does it and loses the answer";
    refusedBy(await gate.admit(KEY, named));
    store.health = "up";
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(passed(await gate.admit(KEY, named)).replayed).toBe(true);
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 2 });
  });

  it("are asked again where that fails, a few at a time, and for no more than a few hundred reserves of one org", async () => {
    const { gate, store } = setUp({}, chain);
    store.health = "does it and loses the answer";
    for (let call = 0; call < 1_000; call++) refusedBy(await gate.admit(KEY, CALL));
    store.health = "up";
    let asked = 0;
    let fails = true;
    const settle = store.behind.settle.bind(store.behind);
    vi.spyOn(store.behind, "settle").mockImplementation((request) => {
      asked++;
      return fails ? Promise.reject(new Error("ECONNRESET")) : settle(request);
    });
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBe(16);
    fails = false;
    passed(await gate.admit(KEY, CALL));
    await eventually(async () =>
      expect(await readingOf(gate, "requests")).toMatchObject({ used: 1_000 - 256 + 2 }),
    );
    expect(asked).toBe(16 + 256);
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBe(16 + 256);
  });

  it("are asked for an org only once they answer for that one: others may lie on another node", async () => {
    const { gate, store } = setUp({}, [chain, { ...chain, org: { id: "o2" }, key: { id: "k2" } }]);
    const settles = vi.spyOn(store.behind, "settle");
    store.health = "does it and loses the answer";
    refusedBy(await gate.admit(KEY, CALL));
    store.health = "up";
    passed(await gate.admit({ keyId: "k2" }, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(settles).not.toHaveBeenCalled();
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(settles.mock.calls.map(([{ orgId }]) => orgId)).toEqual(["o1"]);
  });
});

it.each([
  ["without a request id", {}],
  ["with one", { requestId: "r" }],
])(
  "a reserve that the client sends again is an admission as any, told to whoever listens: %s",
  async (_, id) => {
    const chain = limited({ key: { rpm: 9, budget: { usd: 1, reset: "daily", alertAt: [0.5] } } });
    const { gate, store } = setUp({}, chain);
    const heard: unknown[] = [];
    gate.on("budgetThreshold", ({ threshold, context }) => heard.push({ threshold, keyId: context.keyId }));
    store.sendsAgain = true;
    const call = { ...CALL, costUsd: 0.6, ...id };
    const admission = passed(await gate.admit(KEY, call));
    expect("replayed" in admission).toBe(false);
    expect(heard).toEqual([{ threshold: 0.5, keyId: "k1" }]);
    expect(admission.limits).toMatchObject([
      { meter: "requests", used: 1 },
      { meter: "cost", usd: { used: 0.6 } },
    ]);
    store.sendsAgain = false;
    if ("requestId" in id) expect(passed(await gate.admit(KEY, call)).replayed).toBe(true);
    settled(await gate.settle(admission.reservation, { costUsd: 0.1 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.1 } });
  },
);

describe("a defect is no outage", () => {
  it("of counters in this process: it rejects as it is, whatever onCountersDown says", async () => {
    for (const onCountersDown of ["deny", "allow", "local"] as const) {
      const counters = memoryCounters();
      const defect = new TypeError("cannot read properties of undefined");
      const broken: Counters = {
        inProcess: true,
        reserve: () => Promise.reject(defect),
        settle: (request) => counters.settle(request),
        read: (query) => counters.read(query),
        close: () => counters.close(),
      };
      const { gate } = world(limited({ key: LIMITS }), { counters: broken, onCountersDown });
      await expect(gate.admit(KEY, CALL)).rejects.toBe(defect);
    }
  });

  it("of counters elsewhere cannot be told from one, so whoever watches is told what was thrown", async () => {
    const { gate, store, degraded } = setUp({ onCountersDown: "allow" });
    store.health = "rejects";
    store.error = new TypeError("the reply had no fields");
    passed(await gate.admit(KEY, CALL));
    expect(degraded).toHaveLength(1);
    const told = Object.values<unknown>({ ...degraded[0] }).map((one) =>
      one instanceof Error ? one.cause : one,
    );
    expect(told).toContain(store.error);
  });

  it("stays the cause of the CountersUnavailableError that a settle rejects with", async () => {
    const { gate, store } = setUp();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    store.health = "rejects";
    await expect(gate.settle(reservation, {})).rejects.toMatchObject({ cause: store.error });
  });

  const READING = { used: 0, waitMs: 0, resetMs: 0 };
  const RESERVED = { outcome: "reserved", id: "a", reservedAt: 0, expiresAt: 1 };
  const NO_OUTCOMES = [
    undefined,
    null,
    0,
    "OK",
    {},
    { outcome: "banana" },
    { outcome: "constructor" },
    { outcome: "refused" },
    { outcome: "refused", readings: [undefined] },
    { outcome: "settled" },
    RESERVED,
    { ...RESERVED, outcome: "replayed", charges: [undefined], used: [], resetMs: [] },
    { ...RESERVED, charges: [], used: [], resetMs: [], shadow: [READING, null] },
    [null],
  ];

  it.each(NO_OUTCOMES)(
    "of counters elsewhere that answer with no outcome is taken for one: %j",
    async (answer) => {
      const { gate, store, degraded } = setUp({ onCountersDown: "allow" });
      const { reservation } = passed(await gate.admit(KEY, CALL));
      // As plain JavaScript may answer.
      for (const name of ["reserve", "settle", "read"] as const) {
        vi.spyOn(store, name).mockImplementation(async () => answer as never);
      }
      expect(passed(await gate.admit(KEY, CALL)).degraded).toBe("uncounted");
      expect(passed(await gate.check(KEY, CALL)).degraded).toBe("uncounted");
      expect(passed(await gate.extend(reservation, { maxOutputTokens: 1 })).degraded).toBe("uncounted");
      expect(degraded).toHaveLength(3);
      for (const ask of [
        () => gate.settle(reservation, {}),
        () => gate.release(reservation),
        () => gate.usage({ orgId: "o1", keyId: "k1" }),
      ]) {
        await expect(ask()).rejects.toThrow(CountersUnavailableError);
      }
    },
  );

  it("of the caller, or a conflict of calls, is told as such and counted as no outage", async () => {
    const { gate, store, degraded } = setUp({ onCountersDown: "allow" });
    store.health = "rejects";
    await expect(gate.admit(KEY, { model: "" })).rejects.toThrow(ValidationError);
    store.error = new ConflictError("other calls kept taking the idempotency key");
    await expect(gate.admit(KEY, CALL)).rejects.toBe(store.error);
    expect(degraded).toEqual([]);
  });
});

describe("what was counted locally", () => {
  const budget = { usd: 1, reset: "daily" as const };
  const local = { onCountersDown: "local" as const };

  it("is a share of each limit, a quarter by default, rounded up", async () => {
    for (const [rpm, localShare, admitted] of [
      [8, undefined, 2],
      [9, undefined, 3],
      [1, undefined, 1],
      [8, 0.5, 4],
      [8, 1, 8],
    ] as const) {
      const { gate, store } = setUp({ ...local, localShare }, limited({ project: { rpm } }));
      store.health = "rejects";
      for (let i = 1; i <= admitted; i++) {
        const { limits } = passed(await gate.admit(KEY, CALL));
        expect(limits).toMatchObject([{ max: rpm, used: i, remaining: rpm - i }]);
      }
      const refusal = refusedBy(await gate.admit(KEY, CALL));
      expect(refusal.reason).toBe(admitted === rpm ? "rate_limited" : "counters_unavailable");
      if (admitted === rpm) expect(refusal).toMatchObject({ limit: { max: rpm, used: rpm } });
    }
  });

  it("refuses what is above the share and within the limit as an outage: it is no 429, and nobody has spent that much", async () => {
    const { gate, store } = setUp(
      local,
      limited({ project: { tpm: 400 }, key: { budget: { usd: 10, reset: "monthly" } } }),
    );
    store.health = "rejects";
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
    const small = { ...CALL, inputTokens: 1, maxOutputTokens: 1 };
    passed(await gate.admit(KEY, { ...small, costUsd: 2 }));
    const refusal = refusedBy(await gate.admit(KEY, { ...small, costUsd: 2 }));
    expect(refusal).toMatchObject({ reason: "counters_unavailable", limits: [] });
    expect(refusal.retryAfterMs).toBeUndefined();
    const huge = { ...CALL, maxOutputTokens: 400 };
    expect(refusedBy(await gate.admit(KEY, huge)).reason).toBe("too_large");
  });

  it("takes no share of a limit in shadow mode, which refuses nothing", async () => {
    const { gate, store } = setUp(local, limited({ project: { rpm: 2, mode: "shadow" } }));
    store.health = "rejects";
    for (const shadow of [0, 0, 1]) expect(passed(await gate.admit(KEY, CALL)).shadow).toHaveLength(shadow);
    const short = setUp(local, limited({ project: { tpm: 400 }, key: { tpm: 1, mode: "shadow" } }));
    short.store.health = "rejects";
    expect(refusedBy(await short.gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
  });

  it.each([0, -1, 1.1, Number.NaN])("takes no share of %s", (localShare) => {
    expect(() => setUp({ ...local, localShare })).toThrow("options.localShare");
  });

  it("is given to the counters when they answer again: what is closed as it was used, what is open as it is reserved", async () => {
    const { gate, store, clock } = setUp(
      { ...local, localShare: 1 },
      limited({ project: { rpm: 9, tpm: 9_000, budget }, key: { inFlight: 5 } }),
    );
    const restored = vi.fn();
    gate.on("restored", restored);
    store.health = "rejects";
    const [closed, released, open] = [
      passed(await gate.admit(KEY, CALL)),
      passed(await gate.admit(KEY, CALL)),
      passed(await gate.admit(KEY, CALL)),
    ];
    settled(await gate.settle(closed.reservation, { outputTokens: 7 }));
    settled(await gate.release(released.reservation));
    store.health = "up";
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 0 }));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    const used = async (meter: string) =>
      (await gate.usage({ orgId: "o1", keyId: "k1" })).find((reading) => reading.meter === meter)?.used;
    expect(await used("requests")).toBe(3);
    expect(await used("tokens")).toBe(107 + 200 + 100);
    expect(await used("cost")).toBe((100 + 100 + 100) * 2_500 + (7 + 100) * 10_000);
    expect(await used("inFlight")).toBe(1);

    settled(await gate.settle(JSON.stringify(open.reservation), { outputTokens: 9 }));
    expect(await gate.settle(open.reservation, {})).toEqual({ settled: false, reason: "already_settled" });
    expect(await used("tokens")).toBe(107 + 109 + 100);
    expect(await used("inFlight")).toBe(0);
    clock.at += 1;
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 0 }));
    expect(await used("requests")).toBe(4);
    expect(restored).toHaveBeenCalledOnce();
  });

  it("is given when the gate closes before anybody has called again, or the close says that it was not", async () => {
    for (const isBack of [true, false]) {
      const { gate, store } = setUp({ ...local, localShare: 1 });
      store.health = "rejects";
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 7 }));
      if (isBack) store.health = "up";
      const closed = await gate.close().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (isBack) expect(closed).toBeUndefined();
      else expect(closed).toBeInstanceOf(CountersUnavailableError);
      store.health = "up";
      const other = world(limited({ project: LIMITS, key: { inFlight: 5 } }), { counters: store.behind });
      expect(await readingOf(other.gate, "requests", "project")).toMatchObject({ used: isBack ? 1 : 0 });
    }
  });

  it("is held to the share by an extension, too, and tells of the limits as they are", async () => {
    const { gate, store } = setUp(local, limited({ project: { tpm: 1_000 } }));
    store.health = "rejects";
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(refusedBy(await gate.extend(reservation, { maxOutputTokens: 100 })).reason).toBe(
      "counters_unavailable",
    );
    const more = passed(await gate.extend(reservation, { maxOutputTokens: 50 }));
    expect(more.degraded).toBe("local");
    expect(more.limits).toMatchObject([{ meter: "tokens", max: 1_000, used: 250, mode: "enforce" }]);
    expect(more.reservation.charges.limits).toMatchObject([{ max: 1_000 }]);
  });

  it("ends here where it is found again by its request id during the outage", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { tpm: 1_000 } }));
    const named = { ...CALL, requestId: "r1" };
    store.health = "rejects";
    passed(await gate.admit(KEY, named));
    const again = passed(await gate.admit(KEY, named));
    expect(again).toMatchObject({ replayed: true, degraded: "local", reservation: { degraded: "local" } });
    settled(await gate.settle(again.reservation, { outputTokens: 0 }));
  });

  it("tells of the limits as they are where it is found again by its request id, and of what passes them", async () => {
    const { gate, store } = setUp(local, limited({ project: { tpm: 1_000 } }));
    const named = { ...CALL, requestId: "r1" };
    store.health = "rejects";
    passed(await gate.admit(KEY, named));
    store.health = "up";
    passed(await gate.admit(KEY, { ...CALL, inputTokens: 1, maxOutputTokens: 1 }));
    await eventually(async () => {
      expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 202 });
    });
    const again = passed(await gate.admit(KEY, named));
    expect(again).toMatchObject({ replayed: true, limits: [{ max: 1_000, mode: "enforce" }] });
    const { overdraft } = settled(await gate.settle(again.reservation, { outputTokens: 2_000 }));
    expect(overdraft).toMatchObject([{ meter: "tokens", max: 1_000, used: 2_102 }]);
  });

  it("is counted once where the store takes its time and keeps the call with its request id after all", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { budget } }));
    store.health = "answers after it was given up";
    const named = { ...CALL, costUsd: 0.4, requestId: "r1" };
    const { reservation, degraded } = passed(await afterTimeout(gate.admit(KEY, named)));
    expect(degraded).toBe("local");
    settled(await gate.settle(reservation, { costUsd: 0.4 }));
    store.health = "up";
    for (const late of store.late) late();
    await vi.advanceTimersByTimeAsync(0);
    passed(await gate.admit(KEY, { ...CALL, costUsd: 0.1 }));
    await eventually(async () => {
      expect(await readingOf(gate, "cost", "project")).toMatchObject({ usd: { used: 0.5 } });
    });
  });

  it("is settled by another process once the counters have it, and found there by its request id", async () => {
    const chain = limited({ project: { budget }, key: { inFlight: 5 } });
    const { gate, store, clock } = setUp({ ...local, localShare: 1 }, chain);
    const other = world(chain, { ...local, counters: store.behind }).gate;
    const restored = vi.fn();
    gate.on("restored", restored);
    const named = { ...CALL, requestId: "r1" };
    store.health = "rejects";
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const mine = passed(await gate.admit(KEY, named)).reservation;
    store.health = "up";
    passed(await gate.admit(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());

    settled(await other.settle(JSON.stringify(reservation), { outputTokens: 0 }));
    expect(await gate.settle(reservation, {})).toEqual({ settled: false, reason: "already_settled" });
    for (const again of [await gate.admit(KEY, named), await other.admit(KEY, named)]) {
      expect(passed(again)).toMatchObject({ replayed: true, reservation: { id: mine.id } });
    }
    settled(await other.settle(JSON.stringify(mine), { outputTokens: 0 }));
    expect(await gate.settle(mine, {})).toEqual({ settled: false, reason: "already_settled" });
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 1 });
    expect(clock.at).toBe(NOON);
  });

  it("takes no slot here once the counters have the call: the next outage finds those free that have ended there", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ key: { inFlight: 2, rpm: 5 } }));
    const restored = vi.fn();
    gate.on("restored", restored);
    store.health = "rejects";
    const open = [passed(await gate.admit(KEY, CALL)), passed(await gate.admit(KEY, CALL))];
    passed(await gate.extend(open[0]?.reservation ?? "", { maxOutputTokens: 1 }));
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("in_flight_limited");
    store.health = "up";
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    for (const { reservation } of open) settled(await gate.settle(reservation, {}));

    store.health = "rejects";
    for (const used of [1, 2]) {
      const { limits } = passed(await gate.admit(KEY, CALL));
      expect(limits.find(({ meter }) => meter === "inFlight")?.used).toBe(used);
      expect(limits.find(({ meter }) => meter === "requests")?.used).toBe(2 + used);
    }
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("in_flight_limited");
  });

  it("is settled once where a call ends in any moment of the counters' answer", async () => {
    for (let steps = 0; steps < 30; steps++) {
      const { gate, store } = setUp(
        { ...local, localShare: 1 },
        limited({ key: { tpm: 9_000, inFlight: 9 } }),
      );
      store.health = "rejects";
      const { reservation } = passed(await gate.admit(KEY, CALL));
      const reserve = store.behind.reserve.bind(store.behind);
      let ending: Promise<unknown> | undefined;
      vi.spyOn(store.behind, "reserve").mockImplementation(async (request) => {
        const answer = await reserve(request);
        if (request.id === reservation.id) ending ??= end(steps);
        return answer;
      });
      const end = async (after: number) => {
        for (let step = 0; step < after; step++) await undefined;
        settled(await gate.settle(reservation, { outputTokens: 1 }));
      };
      store.health = "up";
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 0 }));
      await eventually(async () => {
        expect(await readingOf(gate, "tokens")).toMatchObject({ used: 101 + 100 });
        expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
      });
      await ending;
    }
  });

  it("is held by the counters with all that was added to it in any moment of their answers", async () => {
    for (let steps = 0; steps < 40; steps++) {
      const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ key: { budget } }));
      store.health = "rejects";
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.1 }));
      const reserve = store.behind.reserve.bind(store.behind);
      let extending: Promise<unknown> | undefined;
      const extend = async () => {
        for (let step = 0; step < steps; step++) await undefined;
        passed(await gate.extend(reservation, { costUsd: 0.2 }));
        passed(await gate.extend(reservation, { costUsd: 0.3 }));
      };
      vi.spyOn(store.behind, "reserve").mockImplementation(async (request) => {
        if (request.id === reservation.id) extending ??= extend();
        return reserve(request);
      });
      store.health = "up";
      passed(await gate.admit(KEY, { ...CALL, costUsd: 0.01 }));
      await eventually(async () => expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.61e9 }));
      await extending;
      settled(await gate.settle(reservation, { costUsd: 0.1 }));
      expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.11e9 });
    }
  });

  it.each([
    [2, "of the reserve"],
    [3, "of its extension"],
  ])(
    "is held by the counters with all that was added to it where an answer is lost: %i, %s",
    async (lost) => {
      const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ key: { budget } }));
      store.health = "rejects";
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.1 }));
      let extending: Promise<unknown> | undefined;
      loseAnswer(store, lost); // the first is the admit itself
      const reserve = store.reserve.bind(store);
      vi.spyOn(store, "reserve").mockImplementation((request) => {
        if (request.id === reservation.id) extending ??= gate.extend(reservation, { costUsd: 0.2 });
        return reserve(request);
      });
      store.health = "up";
      passed(await gate.admit(KEY, { ...CALL, costUsd: 0.01 }));
      await extending;
      await vi.advanceTimersByTimeAsync(0);
      passed(await gate.admit(KEY, { ...CALL, costUsd: 0.01 }));
      await eventually(async () => expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.32e9 }));
      settled(await gate.settle(reservation, { costUsd: 0.1 }));
      expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.12e9 });
    },
  );

  it("counts both where a request came before the outage and in it", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { rpm: 90 } }));
    const named = { ...CALL, requestId: "r1" };
    passed(await gate.admit(KEY, named));
    store.health = "rejects";
    const { reservation } = passed(await gate.admit(KEY, named));
    store.health = "up";
    passed(await gate.admit(KEY, CALL));
    await eventually(async () => {
      expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 3 });
    });
    settled(await gate.settle(reservation, {}));
  });

  /** Gates over a store of many orgs, each of which has its own key; what of the orgs in `down` fails, as those of a node of a cluster. */
  function manyOrgs(orgIds: readonly string[]) {
    const down = new Set(orgIds);
    let asked = 0;
    const counters = elsewhere((orgId) => {
      asked++;
      if (down.has(orgId)) throw new Error("CLUSTERDOWN");
    });
    const chains = orgIds.map((id) =>
      aChain({
        org: { id },
        project: { id: `p-${id}` },
        key: { id: `k-${id}`, limits: { budget: { usd: 10, reset: "daily" } } },
      }),
    );
    const { gate } = world(chains, { ...local, counters, localShare: 1 });
    const spend = async (orgId: string) => {
      const { reservation } = passed(await gate.admit({ keyId: `k-${orgId}` }, { ...CALL, costUsd: 1 }));
      settled(await gate.settle(reservation, { costUsd: 1 }));
    };
    const spentBy = async (orgId: string) =>
      (await readingOf(gate, "cost", "key", { orgId, keyId: `k-${orgId}` })).usd?.used;
    return { gate, down, spend, spentBy, asked: () => asked };
  }

  it("is given for an org whose counters answer again, while those of other orgs do not", async () => {
    const { gate, down, spend, spentBy } = manyOrgs(["a", "b", "c"]);
    const restored = vi.fn();
    gate.on("restored", restored);
    for (const orgId of ["a", "b"]) await spend(orgId);
    down.delete("b");
    down.delete("c");
    await spend("c");
    await eventually(async () => expect(await spentBy("b")).toBe(1));
    expect(restored).not.toHaveBeenCalled();
    down.delete("a");
    await spend("c");
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect([await spentBy("a"), await spentBy("b"), await spentBy("c")]).toEqual([1, 1, 2]);
  });

  it("is given in the end for an org that is behind any number of others whose counters stay away", async () => {
    const others = Array.from({ length: 70 }, (_, i) => `o${i}`);
    const { down, spend, spentBy } = manyOrgs([...others, "last", "c"]);
    for (const orgId of [...others, "last"]) await spend(orgId);
    down.delete("last");
    down.delete("c");
    await eventually(async () => {
      await spend("c");
      expect(await spentBy("last")).toBe(1);
    });
  });

  it("is not tried for every org where the counters answer for none", async () => {
    const orgIds = Array.from({ length: 100 }, (_, i) => `o${i}`);
    const { gate, spend, asked } = manyOrgs(orgIds);
    for (const orgId of orgIds) await spend(orgId);
    const before = asked();
    await expect(gate.close()).rejects.toThrow(CountersUnavailableError);
    expect(asked() - before).toBeLessThan(50);
  });

  it("is given over a max if need be: the calls were made", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { rpm: 3 } }));
    for (let i = 0; i < 2; i++) passed(await gate.admit(KEY, CALL));
    store.health = "rejects";
    for (let i = 0; i < 3; i++)
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
    store.health = "up";
    passed(await gate.admit(KEY, CALL));
    await eventually(async () => {
      expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 6 });
    });
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("rate_limited");
  });

  it("is given over a max if need be also of a call that is open by then, and extended while it is being given", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ key: { budget } }));
    passed(await gate.admit(KEY, { ...CALL, costUsd: 0.9 }));
    store.health = "rejects";
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.2 }));
    const reserve = store.behind.reserve.bind(store.behind);
    let extending: Promise<unknown> | undefined;
    vi.spyOn(store.behind, "reserve").mockImplementation((request) => {
      if (request.id === reservation.id) extending ??= gate.extend(reservation, { costUsd: 0.3 });
      return reserve(request);
    });
    store.health = "up";
    passed(await gate.check(KEY, { ...CALL, costUsd: 0.01 }));
    await eventually(async () => expect(await readingOf(gate, "cost")).toMatchObject({ used: 1.4e9 }));
    await extending;
  });

  it("is kept where the counters fail again, and counted once", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { rpm: 90, budget } }));
    store.health = "rejects";
    for (let i = 0; i < 3; i++)
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
    const reserve = store.behind.reserve.bind(store.behind);
    let answers = 1; // the admit itself; what is given after it fails
    vi.spyOn(store.behind, "reserve").mockImplementation((request) => {
      return answers-- > 0 ? reserve(request) : Promise.reject(new Error("ECONNRESET"));
    });
    store.health = "up";
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 1 });
    answers = 100;
    passed(await gate.admit(KEY, CALL));
    await eventually(async () => {
      expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 5 });
    });
    expect(await readingOf(gate, "cost", "project")).toMatchObject({
      used: 5 * (100 * 2_500 + 100 * 10_000),
    });
  });

  it("is told of as restored by the next answer where a reconcile has given it, after the gate failed to", async () => {
    const ledger = createLedger({ sink: memoryLedgerSink() });
    const { gate, store } = setUp({ ...local, localShare: 1, ledger }, limited({ key: { budget } }));
    const restored = vi.fn();
    gate.on("restored", restored);
    store.health = "rejects";
    passed(await gate.admit(KEY, CALL));
    store.health = "up";
    // They answer the check, and fail again.
    const reserve = store.behind.reserve.bind(store.behind);
    const failing = vi.spyOn(store.behind, "reserve").mockImplementation((request) => {
      return request.dryRun ? reserve(request) : Promise.reject(new Error("ECONNRESET"));
    });
    passed(await gate.check(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    failing.mockRestore();
    expect((await gate.reconcile({ orgId: "o1" })).differences).toEqual([]);
    expect(restored).not.toHaveBeenCalled();
    for (let i = 0; i < 3; i++) {
      passed(await gate.check(KEY, CALL));
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(restored).toHaveBeenCalledOnce();
  });

  /** Loses the answer to one reserve, counted from now on; it is made. */
  function loseAnswer({ behind }: Store, lost: number) {
    let asked = 0;
    const reserve = behind.reserve.bind(behind);
    vi.spyOn(behind, "reserve").mockImplementation(async (request) => {
      const answer = await reserve(request);
      if (++asked === lost) throw new Error("ECONNRESET");
      return answer;
    });
  }

  it("is counted once where the answer is lost and the next one comes after closed reservations are forgotten", async () => {
    const { gate, store, clock } = setUp({ ...local, localShare: 1 }, limited({ project: { budget } }));
    store.health = "rejects";
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 0 }));
    const reserves = vi.spyOn(store, "reserve");
    const closes = vi.spyOn(store, "settle");
    store.health = "up";
    loseAnswer(store, 2);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    clock.at += 3 * 3_600_000; // as long as the outage goes on; a store need not know closed ones for longer than an hour
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    const open = reserves.mock.calls.map(([{ id }]) => id);
    for (const [{ id }] of closes.mock.calls) expect(open).not.toContain(id); // what is open is found again
    expect(reservation.charges.amounts).toEqual([1_250_000]);
    expect(await readingOf(gate, "cost", "project")).toMatchObject({ used: 250_000 + 2 * 1_250_000 });
  });

  it.each([
    [2, "that of a call that ends before the second try"],
    [3, "that of a call that goes on"],
    [4, "that of what is closed"],
  ])("is counted once where the answer to one reserve of giving it is lost: %i, %s", async (lost) => {
    const chain = limited({ project: { rpm: 90, tpm: 90_000, budget }, key: { inFlight: 9 } });
    const { gate, store } = setUp({ ...local, localShare: 1 }, chain);
    store.health = "rejects";
    const closed = passed(await gate.admit(KEY, CALL)).reservation;
    const ends = passed(await gate.admit(KEY, CALL)).reservation;
    const goesOn = passed(await gate.admit(KEY, CALL)).reservation;
    settled(await gate.settle(closed, { outputTokens: 7 }));
    store.health = "up";
    loseAnswer(store, lost); // the first is the admit itself
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    settled(await gate.settle(ends, { outputTokens: 8 }));
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    const used = async () => {
      const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
      return Object.fromEntries(readings.map((reading) => [reading.meter, reading.used]));
    };
    const cost = (tokens: number) => 100 * 2_500 + (tokens - 100) * 10_000;
    expect(await used()).toEqual({
      requests: 5,
      tokens: 107 + 108 + 3 * 200,
      cost: cost(107) + cost(108) + 3 * cost(200),
      inFlight: 3,
    });
    settled(await gate.settle(goesOn, { outputTokens: 9 }));
    expect(await used()).toEqual({
      requests: 5,
      tokens: 107 + 108 + 109 + 2 * 200,
      cost: cost(107) + cost(108) + cost(109) + 2 * cost(200),
      inFlight: 2,
    });
  });

  it("is counted once where the answer to its reserve is lost and its reservation ends before the second try", async () => {
    const chain = limited({ project: { budget } });
    const { gate, store, clock } = setUp({ ...local, localShare: 1, reservationTtlMs: 60_000 }, chain);
    store.health = "rejects";
    passed(await gate.admit(KEY, CALL));
    store.health = "up";
    loseAnswer(store, 2);
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    clock.at += 60_000;
    passed(await gate.admit(KEY, CALL));
    await vi.advanceTimersByTimeAsync(0);
    expect(await readingOf(gate, "cost", "project")).toMatchObject({ used: 3 * 1_250_000 });
  });

  it.each([
    ["is settled here with more", "1.2", 1.2],
    ["is settled here with less: what expires keeps its estimate", "0.3", 1],
    ["is extended here", undefined, 1.5],
  ])(
    "is counted once where the answer to its reserve is lost, its reservation expires there, and meanwhile it %s",
    async (_, costUsd, used) => {
      const chain = limited({ project: { budget: { usd: 9, reset: "daily" } } });
      const { gate, store, clock } = setUp({ ...local, localShare: 1, reservationTtlMs: 60_000 }, chain);
      store.health = "rejects";
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 1 }));
      store.health = "up";
      loseAnswer(store, 2); // the first is the check itself
      passed(await gate.check(KEY, CALL));
      await vi.advanceTimersByTimeAsync(0);
      if (costUsd === undefined) passed(await gate.extend(reservation, { costUsd: 0.5 }));
      else settled(await gate.settle(reservation, { costUsd }));
      clock.at += 60_000;
      for (let again = 0; again < 2; again++) {
        passed(await gate.check(KEY, CALL));
        await vi.advanceTimersByTimeAsync(0);
      }
      expect(await readingOf(gate, "cost", "project")).toMatchObject({ usd: { used } });
    },
  );

  it("is not charged twice where a call ends while it is being given", async () => {
    const { gate, store } = setUp({ ...local, localShare: 1 }, limited({ project: { tpm: 9_000 } }));
    store.health = "rejects";
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const settle = store.behind.settle.bind(store.behind);
    vi.spyOn(store.behind, "settle").mockImplementation(settle);
    const reserve = store.behind.reserve.bind(store.behind);
    vi.spyOn(store.behind, "reserve").mockImplementation(async (request) => {
      if (request.id === reservation.id) settled(await gate.settle(reservation, { outputTokens: 1 }));
      return reserve(request);
    });
    store.health = "up";
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { outputTokens: 0 }));
    await eventually(async () => {
      expect(await readingOf(gate, "tokens", "project")).toMatchObject({ used: 101 + 100 });
    });
  });
});
