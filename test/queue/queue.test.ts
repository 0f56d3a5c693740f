import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createToken } from "tollgate";
import { createQueue, type Queue, type QueueOptions } from "tollgate/queue";
import { describe, expect, it, vi } from "vitest";
import type { Charges } from "../../src/admission/charge.js";
import type { LimitReading } from "../../src/admission/limit-reading.js";
import type { Refused } from "../../src/admission/refusal.js";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Admission } from "../../src/gate/call/admission.js";
import type { GateEvents } from "../../src/gate/events/events.js";
import type { GateOptions } from "../../src/gate/options.js";
import type { KeyChain } from "../../src/model/chain.js";
import { ClosedError, ValidationError } from "../../src/model/errors.js";
import type { Limits } from "../../src/model/limits.js";
import type { QueuedGate } from "../../src/queue/options.js";
import { Turns } from "../../src/queue/turns.js";
import { aChain, limited, world } from "../gate/world.js";
import { passed, readingOf, refusedBy } from "../scenarios/answers.js";
import { A_TURN_MS, onVirtualTime, pass } from "./virtual-time.js";

onVirtualTime();

const KEY = { keyId: "k1" };
const CALL = { model: "free", inputTokens: 1, maxOutputTokens: 0 };

function setUp(
  chains: KeyChain | readonly KeyChain[],
  options: QueueOptions = {},
  gateOptions: GateOptions = {},
) {
  const made = world(chains, { clock: Date, ...gateOptions });
  return { ...made, queue: createQueue(made.gate, options) };
}

/** What has become of a promise by now. */
function watch<T>(promise: Promise<T>): { value?: T; error?: unknown; readonly promise: Promise<T> } {
  const seen: { value?: T; error?: unknown; promise: Promise<T> } = { promise };
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error) => {
      seen.error = error;
    },
  );
  return seen;
}

function admits(queue: Queue, count: number, key: string | { keyId: string } = KEY, priority = 5) {
  return Array.from({ length: count }, () => watch(queue.admit(key, CALL, { priority })));
}

const outcomes = (calls: readonly { value?: Admission; error?: unknown }[]) =>
  calls.map(({ value, error }) => {
    if (error !== undefined) return "threw";
    if (value === undefined) return "waits";
    return value.admitted ? "admitted" : value.reason;
  });

/** Keys of one project, each with limits of its own or none. */
const keysOf = (ids: readonly string[], rpm: number) =>
  ids.map((id) => aChain({ project: { limits: { rpm } }, key: { id } }));

describe("a call that the gate has room for", () => {
  it("is admitted without a wait, and no time passes", async () => {
    const { queue } = setUp(limited({ key: { rpm: 2 } }));
    passed(await queue.admit(KEY, CALL));
    expect(queue.status()).toEqual({ waiting: 0, keys: 0, longestWaitMs: 0 });
  });
});

describe("a call that the gate refuses for now", () => {
  it("is admitted at the moment that retryAfterMs names, and not before", async () => {
    const { gate, queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, CALL));
    const { retryAfterMs = 0 } = refusedBy(await gate.check(KEY, CALL));
    expect(retryAfterMs).toBeGreaterThan(50_000);
    const call = watch(queue.admit(KEY, CALL));
    await pass(retryAfterMs - 1);
    expect(outcomes([call])).toEqual(["waits"]);
    expect(queue.status()).toEqual({ waiting: 1, keys: 1, longestWaitMs: retryAfterMs - 1 });
    await pass(1);
    expect(outcomes([call])).toEqual(["admitted"]);
    expect(queue.status()).toEqual({ waiting: 0, keys: 0, longestWaitMs: 0 });
  });

  it("asks the gate once a wait, not all the time", async () => {
    const { gate, queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    const asked = vi.fn();
    gate.on("admission", asked);
    passed(await queue.admit(KEY, CALL));
    const call = watch(queue.admit(KEY, CALL));
    await pass(62_000);
    expect(outcomes([call])).toEqual(["admitted"]);
    expect(asked).toHaveBeenCalledTimes(3);
  });

  it("is refused at once where the wait that the gate tells would be longer than it may wait", async () => {
    const { gate, queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 30_000 });
    passed(await queue.admit(KEY, CALL));
    const { retryAfterMs } = refusedBy(await gate.check(KEY, CALL));
    const refusal = refusedBy(await queue.admit(KEY, CALL));
    expect(refusal).toMatchObject({ reason: "rate_limited", retryAfterMs });
  });

  it.each([
    ["too_large", { ...CALL, inputTokens: 11 }],
    ["model_not_allowed", { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 0 }],
  ])("is refused at once, alone or behind others, where waiting cannot help: %s", async (reason, usage) => {
    const chain = aChain({ key: { limits: { rpm: 1, inputTpm: 10 }, models: ["free"] } });
    const { queue } = setUp(chain, { maxWaitMs: 120_000 });
    expect(refusedBy(await queue.admit(KEY, usage)).reason).toBe(reason);
    passed(await queue.admit(KEY, CALL));
    const before = watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    expect(refusedBy(await queue.admit(KEY, usage)).reason).toBe(reason);
    expect(outcomes([before])).toEqual(["waits"]);
  });

  it("fails, and ends no process, where the gate is one whose answers lack their limits", async () => {
    const { gate } = world(limited({ project: { rpm: 1 } }), { clock: Date });
    const bare = (answer: Admission) => ({ ...answer }) as Admission; // without what is a getter
    const queue = createQueue(
      {
        ...gate,
        admit: async (key, usage) => bare(await gate.admit(key, usage)),
        check: async (key, usage) => bare(await gate.check(key, usage)),
      },
      { maxWaitMs: 120_000 },
    );
    passed(await queue.admit(KEY, CALL));
    await expect(queue.admit(KEY, CALL)).rejects.toThrow(TypeError);
    expect(queue.status().waiting).toBe(0);
  });

  it("is asked about once a larger call of another key is gone, which a settle left too little for", async () => {
    const chains = ["k1", "k2"].map((id) => aChain({ project: { limits: { inputTpm: 100 } }, key: { id } }));
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000 });
    const of = (inputTokens: number) => ({ ...CALL, inputTokens });
    const first = passed(await queue.admit({ keyId: "k2" }, of(40)));
    passed(await queue.admit(KEY, of(60)));
    const asked = vi.fn();
    gate.on("admission", asked);
    const leaving = new AbortController();
    // Both come before either waits, so the one is not known to be behind the other.
    const large = watch(queue.admit({ keyId: "k2" }, of(90), { signal: leaving.signal }));
    const small = watch(queue.admit(KEY, of(10)));
    await pass(A_TURN_MS);
    expect(asked).toHaveBeenCalledTimes(2);
    await gate.settle(first.reservation, { inputTokens: 0, outputTokens: 0 });
    await pass(A_TURN_MS);
    expect(outcomes([large, small])).toEqual(["waits", "waits"]);
    expect(asked).toHaveBeenCalledTimes(3); // about the large call alone: the small one must not pass it
    leaving.abort();
    await pass(A_TURN_MS);
    expect(outcomes([large, small])).toEqual(["threw", "admitted"]);
  });

  it("is admitted earlier where a settle gives back what it needs", async () => {
    const { gate, queue } = setUp(limited({ project: { inputTpm: 100 } }), { maxWaitMs: 120_000 });
    const first = passed(await queue.admit(KEY, { ...CALL, inputTokens: 100 }));
    const second = watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    expect(outcomes([second])).toEqual(["waits"]);
    await gate.settle(first.reservation, { inputTokens: 99, outputTokens: 0 });
    await pass(0);
    expect(outcomes([second])).toEqual(["admitted"]);
  });

  it("gets what a settle freed though the gate fails about the call before it, of another key", async () => {
    const chains = ["k1", "k2"].map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
    const { gate } = world(chains, { clock: Date });
    let isDown = false;
    const admit: QueuedGate["admit"] = async (key, usage) => {
      if (!isDown) return gate.admit(key, usage);
      isDown = false;
      throw new Error("down");
    };
    const queue = createQueue({ ...gate, admit }, { maxWaitMs: 120_000 });
    const { reservation } = passed(await queue.admit(KEY, CALL));
    const calls = [watch(queue.admit(KEY, CALL)), watch(queue.admit({ keyId: "k2" }, CALL))];
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "waits"]);
    isDown = true;
    await gate.settle(reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["threw", "admitted"]);
  });

  it("is admitted by a settle though it frees too little of another limit, for which an earlier call waits", async () => {
    const org = { limits: { inputTpm: 200 } };
    const chains = [
      aChain({ org, project: { limits: { inputTpm: 100 } } }),
      aChain({ org, project: { id: "p2" }, key: { id: "k2" } }),
    ];
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000 });
    const first = passed(await queue.admit(KEY, { ...CALL, inputTokens: 90 }));
    passed(await queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 80 }));
    const ofProject = watch(queue.admit(KEY, { ...CALL, inputTokens: 30 }));
    await pass(A_TURN_MS);
    const ofOrg = watch(queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 40 }));
    await pass(A_TURN_MS);
    expect(outcomes([ofProject, ofOrg])).toEqual(["waits", "waits"]);
    await gate.settle(first.reservation, { inputTokens: 75, outputTokens: 0 });
    await pass(A_TURN_MS);
    expect(outcomes([ofProject, ofOrg])).toEqual(["waits", "admitted"]);
  });

  it("is admitted by a settle of a limit that an earlier call waited for, and which waits for another one now", async () => {
    const project = { limits: { inputTpm: 100 } };
    const chains = [1, 2, 3].map((rpm) => aChain({ project, key: { id: `k${rpm}`, limits: { rpm } } }));
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000 });
    const first = passed(await queue.admit({ keyId: "k3" }, { ...CALL, inputTokens: 100 }));
    // At the same moment, so that neither waits behind the other.
    const calls = ["k1", "k2"].map((keyId) => watch(queue.admit({ keyId }, CALL)));
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "waits"]);
    passed(await gate.admit(KEY, { ...CALL, inputTokens: 0 }));
    await gate.settle(first.reservation, { inputTokens: 0, outputTokens: 0 });
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "admitted"]);
  });

  it.each([
    ["a settle makes room for two", { inputTpm: 100 }, 100, 1],
    ["two settles make room for one each", { inFlight: 2 }, 1, 2],
  ])(
    "is admitted with the more urgent one that has passed it, where %s",
    async (_, limits, inputTokens, open) => {
      const { gate, queue } = setUp(limited({ project: limits }), { maxWaitMs: 120_000, pollMs: 100_000 });
      const first = await Promise.all(
        Array.from({ length: open }, () => queue.admit(KEY, { ...CALL, inputTokens })),
      );
      const calls = admits(queue, 1, KEY, 9);
      await pass(A_TURN_MS);
      calls.push(...admits(queue, 1, KEY, 0));
      await pass(A_TURN_MS);
      expect(outcomes(calls)).toEqual(["waits", "waits"]);
      await Promise.all(first.map((admission) => gate.release(passed(admission).reservation)));
      await pass(A_TURN_MS);
      expect(outcomes(calls)).toEqual(["admitted", "admitted"]);
    },
  );

  it("does not make every key ask for the one slot that a settle frees", async () => {
    const ids = ["k1", "k2", "k3", "k4", "k5"];
    const chains = ids.map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000, pollMs: 60_000 });
    const first = passed(await queue.admit(KEY, CALL));
    // At the same moment, so that none waits behind another.
    const waiting = ids.slice(1).map((keyId) => watch(queue.admit({ keyId }, CALL)));
    await pass(A_TURN_MS);
    const asked = vi.fn();
    gate.on("admission", asked);
    await gate.settle(first.reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes(waiting)).toEqual(["admitted", "waits", "waits", "waits"]);
    expect(asked).toHaveBeenCalledTimes(2); // who gets it, and the next one, who hears that there is no other
  });

  it("does not make every key that waits behind another ask for the one slot either, nor while nothing happens", async () => {
    const ids = Array.from({ length: 30 }, (_, i) => `k${i}`);
    const chains = ids.map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
    const { gate } = setUp(chains);
    const asked = vi.fn();
    const ask: typeof gate.admit = async (key, usage) => {
      asked();
      await new Promise((resolve) => setTimeout(resolve, 1)); // as counters elsewhere take
      return gate.admit(key, usage);
    };
    const slow = { admit: ask, check: gate.check, release: gate.release, on: gate.on };
    const queue = createQueue(slow, { maxWaitMs: 120_000, pollMs: 1_000 });
    let holder = passed(await gate.admit({ keyId: "k0" }, CALL));
    const calls: Promise<Admission>[] = [];
    for (const keyId of ids) {
      calls.push(queue.admit({ keyId }, CALL));
      await pass(1);
    }
    await pass(A_TURN_MS);
    for (const call of calls.slice(0, 5)) {
      asked.mockClear();
      await gate.settle(holder.reservation, {});
      await pass(A_TURN_MS);
      holder = passed(await call);
      // Who gets it, and the next one, who hears that there is no other; there may be two that wait behind nobody.
      expect(asked.mock.calls.length).toBeLessThanOrEqual(3);
      asked.mockClear();
      await pass(5_000);
      expect(asked.mock.calls.length).toBeLessThanOrEqual(10); // each of those, every second
    }
    await queue.close();
    await Promise.allSettled(calls);
  });

  it("wakes who waits for a limit per model when that has room again", async () => {
    const { gate, queue } = setUp(limited({ key: { perModel: { free: { inFlight: 1 } } } }));
    const { reservation } = passed(await queue.admit(KEY, CALL));
    const waiting = watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    expect(outcomes([waiting])).toEqual(["waits"]);
    await gate.settle(reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes([waiting])).toEqual(["admitted"]);
  });

  it("is asked about as it came, whatever the caller does to its key and usage meanwhile", async () => {
    const { gate, queue } = setUp([limited({ key: { inFlight: 1 } }), aChain({ key: { id: "k2" } })]);
    const first = passed(await queue.admit(KEY, CALL));
    const [key, usage] = [{ ...KEY }, { ...CALL, inputTokens: 10, tags: { team: "red" } }];
    const call = watch(queue.admit(key, usage));
    Object.assign(key, { keyId: "k2" });
    Object.assign(usage.tags, { team: "blue" });
    Object.assign(usage, { inputTokens: 900 });
    await pass(A_TURN_MS);
    expect(outcomes([call])).toEqual(["waits"]);
    await gate.settle(first.reservation, {});
    await pass(A_TURN_MS);
    expect(passed(await call.promise).reservation).toMatchObject({
      keyId: "k1",
      inputTokens: 10,
      tags: { team: "red" },
    });
  });

  it("gets what the gate throws where a call of another key waits", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, CALL));
    const waiting = watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    const { signal } = new AbortController();
    for (const keyId of [5, Symbol("k"), Object.create(null)]) {
      await expect(queue.admit({ keyId } as never, CALL, { signal })).rejects.toThrow(ValidationError);
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(outcomes([waiting])).toEqual(["waits"]);
  });

  it("is rejected with what went wrong where its line gets no turn any more", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, CALL));
    const broken = new Error("no more turns");
    const ask = vi.spyOn(Turns.prototype, "ask").mockRejectedValue(broken);
    try {
      const calls = admits(queue, 2);
      await pass(A_TURN_MS);
      expect(calls.map(({ error }) => error)).toEqual([broken, broken]);
      expect(queue.status().waiting).toBe(0);
    } finally {
      ask.mockRestore();
    }
  });

  it("gets what the gate throws", async () => {
    const { queue } = setUp(aChain());
    for (const key of [{ keyId: 5 }, { ...KEY, orgId: "o1" }])
      await expect(queue.admit(key as never, CALL)).rejects.toThrow(ValidationError);
    await expect(queue.admit(KEY, { model: "free", wrong: 1 } as never)).rejects.toThrow("usage.wrong");
  });
});

describe("a slot in flight", () => {
  const one = limited({ project: { inFlight: 1 } });

  it("wakes the next call when it is settled or released, long before its TTL", async () => {
    const { gate, queue } = setUp(one, { pollMs: 60_000 });
    const [first, second, third] = admits(queue, 3);
    await pass(A_TURN_MS);
    expect(outcomes([second, third] as never)).toEqual(["waits", "waits"]);
    await gate.settle(passed(await (first?.promise ?? fail())).reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes([second, third] as never)).toEqual(["admitted", "waits"]);
    await gate.release(passed(await (second?.promise ?? fail())).reservation);
    await pass(A_TURN_MS);
    expect(outcomes([third] as never)).toEqual(["admitted"]);
  });

  it.each([
    [500, { pollMs: 500 }],
    [1_000, {}],
  ])("that another process frees is seen within %s ms", async (pollMs, options) => {
    const counters = memoryCounters();
    const { queue } = setUp(one, options, { counters });
    const elsewhere = world(one, { clock: Date, counters }).gate;
    const { reservation } = passed(await elsewhere.admit(KEY, CALL));
    const call = watch(queue.admit(KEY, CALL));
    await pass(700);
    await elsewhere.settle(JSON.stringify(reservation), {});
    expect(outcomes([call])).toEqual(["waits"]);
    await pass(pollMs);
    expect(outcomes([call])).toEqual(["admitted"]);
  });

  it.each([
    [5_000, { maxWaitMs: 5_000 }],
    [30_000, {}],
  ])(
    "that nobody frees in %s ms ends the wait with queue_timeout and the limit that was short",
    async (waitMs, options) => {
      const { gate, queue } = setUp(one, options);
      passed(await gate.admit(KEY, CALL));
      const call = watch(queue.admit(KEY, CALL));
      await pass(waitMs - 1);
      expect(outcomes([call])).toEqual(["waits"]);
      await pass(1);
      expect(call.value).toMatchObject({
        admitted: false,
        reason: "queue_timeout",
        scope: "project",
        limit: { meter: "inFlight", used: 1, max: 1 },
      });
      expect(call.value).not.toHaveProperty("retryAfterMs"); // the slot's TTL would be an hour
      await expect(readingOf(gate, "inFlight", "project")).resolves.toMatchObject({ used: 1 });
    },
  );

  it("freed at any step while the gate is being asked is not missed", async () => {
    for (let steps = 0; steps < 20; steps++) {
      const { gate, queue } = setUp(one, { pollMs: 60_000, maxWaitMs: 100_000 });
      const { reservation } = passed(await gate.admit(KEY, CALL));
      const call = watch(queue.admit(KEY, CALL));
      for (let step = 0; step < steps; step++) await Promise.resolve();
      await gate.settle(reservation, {});
      await pass(A_TURN_MS);
      expect([steps, ...outcomes([call])]).toEqual([steps, "admitted"]);
    }
  });
});

describe("a gate that takes its time", () => {
  /** A gate that is answered by hand. */
  function byHand(options: QueueOptions = {}) {
    const asked: { usage: object; answer(admission: Admission): void; fail(error: unknown): void }[] = [];
    const checked: ((admission: Admission) => void)[] = [];
    let tell: (event: GateEvents["settlement"]) => void = () => {};
    const gate: QueuedGate = {
      admit: (_, usage) => new Promise((answer, fail) => asked.push({ usage, answer, fail })),
      check: () => new Promise((answer) => checked.push(answer)),
      release: () => Promise.reject(new Error("nothing is released")),
      on: (_, listener) => {
        tell = listener as typeof tell; // sound: a queue listens to nothing but settlements
        return () => {};
      },
    };
    const end = (charges: Charges, id = "x", settlement: object = { settled: true }) =>
      tell({ at: 0, tookMs: 0, settlement, reservation: { id, charges } } as never);
    return { queue: createQueue(gate, options), asked, checked, settle: end };
  }
  const chargesOf = async (limits: Limits) => {
    const { gate } = world(limited({ key: limits }));
    return passed(await gate.admit(KEY, CALL)).reservation.charges;
  };
  const limitOfKey: LimitReading = {
    scope: "key",
    scopeId: "k1",
    meter: "requests",
    max: 1,
    used: 1,
    remaining: 0,
    window: "minute",
    mode: "enforce",
  };
  const short: Refused = {
    admitted: false,
    reason: "rate_limited",
    message: "short",
    limit: limitOfKey,
    limits: [],
    retryAfterMs: 10_000,
  };

  it("is asked again at once where its limit was given something while it was asked, however often, and only then", async () => {
    const { queue, asked, settle } = byHand();
    const [ofLimit, ofAnother] = [await chargesOf({ rpm: 1 }), await chargesOf({ rpd: 1 })];
    watch(queue.admit(KEY, CALL));
    for (const question of [0, 1, 2]) {
      for (const charges of [ofAnother, ofLimit, ofAnother]) settle(charges);
      asked[question]?.answer(short);
      await pass(A_TURN_MS);
      expect(asked).toHaveLength(question + 2);
    }
    settle(ofAnother);
    asked[3]?.answer(short);
    await pass(9_000);
    expect(asked).toHaveLength(4);
    await pass(1_000);
    expect(asked).toHaveLength(5);
  });

  it("about a call does not make it one that waits", async () => {
    const { queue } = byHand();
    watch(queue.admit(KEY, CALL));
    await pass(1_000);
    expect(queue.status()).toEqual({ waiting: 0, keys: 0, longestWaitMs: 0 });
  });

  it("is asked in the order in which calls came, whichever of them it has refused first", async () => {
    const { queue, asked } = byHand();
    for (const inputTokens of [1, 2]) watch(queue.admit(KEY, { ...CALL, inputTokens }));
    expect(asked.map(({ usage }) => usage)).toMatchObject([{ inputTokens: 1 }, { inputTokens: 2 }]);
    asked[1]?.answer({ ...short, retryAfterMs: 10_000 });
    await pass(A_TURN_MS);
    asked[0]?.answer({ ...short, retryAfterMs: 10_000 });
    await pass(11_000);
    expect(asked.slice(2).map(({ usage }) => usage)).toMatchObject([{ inputTokens: 1 }]);
  });

  const admitted = {
    admitted: true,
    reservation: { id: "r", charges: { limits: [], amounts: [] } },
  } as unknown as Admission; // sound: a queue reads nothing else of an admission

  it.each([
    ["admitted", admitted],
    ["rate_limited", short],
    ["queue_timeout", { ...short, reason: "in_flight_limited" } as const],
  ])("decides though the deadline passes while it is asked: %s", async (outcome, answer) => {
    const { queue, asked } = byHand({ maxWaitMs: 12_000 });
    const call = watch(queue.admit(KEY, CALL));
    asked[0]?.answer(short);
    await pass(13_000);
    expect([asked.length, outcomes([call])]).toEqual([2, ["waits"]]);
    asked[1]?.answer(answer);
    await pass(A_TURN_MS);
    expect([outcomes([call]), queue.status().waiting]).toEqual([[outcome], 0]);
  });

  it.each<[what: string, checked: () => unknown]>([
    ["says that waiting cannot help", () => ({ ...short, reason: "too_large", retryAfterMs: undefined })],
    ["fails", () => Promise.reject(new Error("down"))],
  ])("decides though a check that was asked for before %s", async (_what, answer) => {
    const { queue, asked, checked } = byHand();
    const leaving = new AbortController();
    watch(queue.admit(KEY, CALL, { signal: leaving.signal }));
    asked[0]?.answer(short);
    await pass(A_TURN_MS);
    const call = watch(queue.admit(KEY, CALL));
    leaving.abort();
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(2);
    checked[0]?.(answer() as Admission); // sound: whatever a check comes to
    await pass(A_TURN_MS);
    expect(outcomes([call])).toEqual(["waits"]);
    asked[1]?.answer(admitted);
    await pass(A_TURN_MS);
    expect(outcomes([call])).toEqual(["admitted"]);
  });

  it("is asked again as soon as the limit that it named last has room, whatever a check of before names after that", async () => {
    const { queue, asked, checked, settle } = byHand();
    const ofLimit = await chargesOf({ rpm: 1 });
    const leaving = new AbortController();
    watch(queue.admit(KEY, CALL, { signal: leaving.signal }));
    asked[0]?.answer(short);
    await pass(A_TURN_MS);
    watch(queue.admit(KEY, CALL));
    leaving.abort();
    await pass(A_TURN_MS);
    asked[1]?.answer(short);
    await pass(A_TURN_MS);
    checked[0]?.({ ...short, limit: { ...limitOfKey, window: "day" } });
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(2);
    settle(ofLimit);
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(3);
  });

  it("and fails leaves the room for the next call", async () => {
    const { queue, asked } = byHand({ maxInFlight: 1 });
    const call = watch(queue.admit(KEY, CALL));
    asked[0]?.fail(new Error("down"));
    await pass(A_TURN_MS);
    expect(outcomes([call])).toEqual(["threw"]);
    watch(queue.admit(KEY, CALL));
    expect(asked).toHaveLength(2);
  });

  it("and refuses a call whose caller has gone brings it back into no line", async () => {
    const { queue, asked } = byHand();
    const abort = new AbortController();
    const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
    abort.abort("gone");
    asked[0]?.answer(short);
    await pass(A_TURN_MS);
    expect([call.error, queue.status().waiting]).toEqual(["gone", 0]);
    await pass(60_000);
    expect(asked).toHaveLength(1);
  });

  it("is not asked again for a settle that has settled nothing", async () => {
    const { queue, asked, settle } = byHand();
    const ofLimit = await chargesOf({ rpm: 1 });
    watch(queue.admit(KEY, CALL));
    asked[0]?.answer(short);
    await pass(A_TURN_MS);
    settle(ofLimit, "x", { settled: false, reason: "already_settled" });
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(1);
    settle(ofLimit);
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(2);
  });

  it("and that fails once its caller has gone changes nothing of the answer", async () => {
    const { queue, asked } = byHand();
    const abort = new AbortController();
    const left = vi.fn();
    queue.on("left", left);
    const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
    asked[0]?.answer(short);
    await pass(10_000);
    abort.abort("gone");
    asked[1]?.fail(new Error("down"));
    await pass(A_TURN_MS);
    expect([call.error, queue.status().waiting]).toEqual(["gone", 0]);
    expect(left.mock.calls).toMatchObject([[{ outcome: "aborted" }]]);
  });

  it("and does not take back the reservation of a caller that has gone is told of in a warning", async () => {
    const { queue, asked } = byHand();
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    try {
      const abort = new AbortController();
      const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
      abort.abort("gone");
      asked[0]?.answer(admitted);
      await queue.close();
      expect(call.error).toBe("gone");
      expect(warn.mock.calls).toEqual([
        ["A reservation was not released and ends by itself: Error", "TollgateWarning"],
      ]);
    } finally {
      warn.mockRestore();
    }
  });

  describe("while a call of another key waits", () => {
    const OTHER = { keyId: "k2" };
    /** The refusal of a call that takes from the limit of a key, and has no room there. */
    const shortOf = (scopeId: string): Refused => {
      const limit = { ...limitOfKey, scopeId };
      return { ...short, limit, limits: [limit] };
    };
    const shortOfAnother = { ...shortOf("k2"), limits: [] };
    const takesNothing = {
      admitted: true,
      reservation: { charges: { limits: [], amounts: [] } },
    } as unknown as Admission; // sound: a queue reads nothing else of a check

    /** A gate by hand and a queue in which a call of the other key, of a thousand tokens, has waited for a moment. */
    async function behind(answer: Admission, options: QueueOptions = {}) {
      const made = byHand(options);
      watch(made.queue.admit(OTHER, { ...CALL, inputTokens: 1_000 }));
      made.asked[0]?.answer(answer);
      await pass(A_TURN_MS);
      const tokens = () => made.asked.map(({ usage }) => Object(usage).inputTokens);
      return { ...made, tokens };
    }

    it.each([
      ["is not asked about a call that would take from a limit of tokens", "tokens", [1_000]],
      ["is asked at once about a call that takes from a limit of requests", "requests", [1_000, 999]],
    ] as const)("%s which a check found that one short of", async (_what, meter, inputTokens) => {
      const { queue, asked, checked, settle } = byHand({ maxInFlight: 2 });
      const nothing = { limits: [], amounts: [] } as unknown as Charges; // sound: a queue reads nothing else of it
      for (const id of ["r3", "r4"]) watch(queue.admit({ keyId: id }, CALL));
      for (const [i, id] of ["r3", "r4"].entries()) {
        const reservation = { id, reservedAt: 0, expiresAt: 3_600_000, charges: nothing };
        asked[i]?.answer({ admitted: true, reservation } as unknown as Admission); // sound: as above
      }
      await pass(A_TURN_MS);
      for (const [i, key] of [OTHER, KEY].entries()) {
        watch(queue.admit(key, { ...CALL, inputTokens: 1_000 - i }));
      }
      const limit: LimitReading = { ...limitOfKey, scope: "project", scopeId: "p1", meter };
      checked[0]?.({ ...short, limit, limits: [limit] });
      checked[1]?.({ ...short, limits: [limit, limitOfKey] });
      await pass(A_TURN_MS);
      for (const id of ["r3", "r4"]) settle(nothing, id); // now there is room for both
      await pass(A_TURN_MS);
      expect(asked.slice(2).map(({ usage }) => Object(usage).inputTokens)).toEqual(inputTokens);
    });

    it("takes a token for none of its calls, though it is the same text as the id of its key", async () => {
      const { queue, checked, tokens } = await behind(shortOfAnother);
      watch(queue.admit(OTHER.keyId, CALL));
      expect(queue.status().waiting).toBe(1);
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1]);
    });

    it("is asked about no call whose key has got a line since it was checked", async () => {
      const { queue, asked, checked, tokens } = await behind(shortOfAnother);
      for (const inputTokens of [1, 2]) watch(queue.admit(KEY, { ...CALL, inputTokens }));
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      asked[1]?.answer(short);
      await pass(A_TURN_MS);
      checked[1]?.(takesNothing);
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1]);
      expect(queue.status().waiting).toBe(3);
    });

    it("keeps no call that waiting cannot help where the room for it has gone since it was checked", async () => {
      const { queue, checked, tokens } = await behind(shortOfAnother, { maxInFlight: 1 });
      watch(queue.admit({ keyId: "k3" }, { ...CALL, inputTokens: 3 }));
      const call = watch(queue.admit(KEY, CALL));
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      checked[1]?.({ admitted: false, reason: "too_large", message: "never", limits: [] });
      await pass(A_TURN_MS);
      expect([tokens(), outcomes([call])]).toEqual([[1_000, 3], ["too_large"]]);
    });

    it("is not asked about a call that has gone while it was checked", async () => {
      const { queue, checked, tokens } = await behind(shortOfAnother);
      const abort = new AbortController();
      const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
      abort.abort("gone");
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      expect([tokens(), call.error]).toEqual([[1_000], "gone"]);
    });

    it("has no call left that goes while that one is asked about before it", async () => {
      const slots: Refused = { ...short, reason: "in_flight_limited" };
      const { queue, asked, checked, tokens } = await behind(slots);
      const abort = new AbortController();
      const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
      checked[0]?.({ ...slots, limits: [limitOfKey] });
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1_000]);
      abort.abort(new Error("gone"));
      asked[1]?.answer(slots);
      await pass(A_TURN_MS);
      expect([outcomes([call]), queue.status().waiting]).toEqual([["threw"], 1]);
    });

    it("is asked about that one before it only while there is room for one more", async () => {
      const slots: Refused = { ...short, reason: "in_flight_limited" };
      const { queue, checked, tokens } = await behind(slots, { maxInFlight: 1 });
      watch(queue.admit({ keyId: "k3" }, { ...CALL, inputTokens: 3 }));
      watch(queue.admit(KEY, CALL));
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      checked[1]?.({ ...slots, limits: [limitOfKey] });
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 3]);
    });

    it("is not asked about that one twice at once, or it would be admitted twice", async () => {
      const limit = { ...limitOfKey, meter: "tokens" } as const;
      const slots: Refused = { ...short, reason: "in_flight_limited", limit };
      const { queue, checked, tokens } = await behind(slots, { pollMs: 1_000 });
      await pass(1_000);
      expect(tokens()).toEqual([1_000, 1_000]);
      watch(queue.admit(KEY, CALL));
      checked[0]?.({ ...slots, limits: [limit] });
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1_000]);
    });

    it("is asked about that one once a refusal makes the room for which it was left out", async () => {
      const { queue, asked, checked, tokens } = await behind(shortOfAnother, { maxInFlight: 1 });
      await pass(9_900);
      watch(queue.admit(KEY, CALL));
      checked[0]?.(takesNothing);
      await pass(200);
      expect(tokens()).toEqual([1_000, 1]);
      asked[1]?.answer(short);
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1, 1_000]);
    });

    it("is asked about a head for which there was no room once a refusal of the one before it makes some", async () => {
      const { queue, asked, checked, tokens } = await behind(shortOfAnother, { maxInFlight: 1 });
      watch(queue.admit(KEY, CALL));
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      asked[1]?.answer(short);
      await pass(10_100);
      expect(tokens()).toEqual([1_000, 1, 1_000]);
      asked[2]?.answer(shortOfAnother);
      await pass(A_TURN_MS);
      expect(tokens()).toEqual([1_000, 1, 1_000, 1]);
    });

    it("holds no call for a limit from which the call takes nothing, as a check says after a refusal", async () => {
      const { queue, asked, checked, tokens } = await behind({ ...shortOf("k2"), retryAfterMs: 20_000 });
      const leaving = new AbortController();
      watch(queue.admit(KEY, CALL, { signal: leaving.signal }));
      checked[0]?.(takesNothing);
      await pass(A_TURN_MS);
      asked[1]?.answer(short);
      await pass(A_TURN_MS);
      watch(queue.admit(KEY, { ...CALL, inputTokens: 2 }));
      leaving.abort();
      await pass(A_TURN_MS);
      asked[2]?.answer({ ...short, limits: shortOf("k2").limits });
      await pass(A_TURN_MS);
      checked[1]?.(takesNothing);
      await pass(10_000);
      expect(tokens()).toEqual([1_000, 1, 2, 2]);
    });

    describe("and one of a third key, for which a call of a line before it waits", () => {
      /**
       * Four lines. The first is that of the call of a thousand tokens. In the second, the call of 1 token waits behind the call
       * of 3 tokens, which is alone in the last line: it came before the call of 2 tokens, with which its line began, but was
       * checked last of all. The call of 4 tokens, alone in the third line, takes from the limit of the last one as well, and is
       * due after half the time.
       */
      async function crossed({ priority = 0, retryAfterMs = 10_000 } = {}) {
        const { queue, asked, checked, tokens } = await behind(shortOf("k2"));
        const send = async (keyId: string, inputTokens: number, check: Admission, answer: Admission) => {
          const abort = new AbortController();
          watch(queue.admit({ keyId }, { ...CALL, inputTokens }, { signal: abort.signal }));
          checked.at(-1)?.(check);
          await pass(A_TURN_MS);
          asked.at(-1)?.answer(answer);
          await pass(A_TURN_MS);
          return abort;
        };
        const takesOfThird = shortOf("k3");
        watch(queue.admit(KEY, CALL, { priority }));
        const second = await send("k1", 2, takesNothing, short);
        await send("k4", 4, takesOfThird, { ...shortOf("k4"), retryAfterMs: retryAfterMs / 2 });
        const last = await send("k3", 3, takesOfThird, { ...takesOfThird, retryAfterMs });
        checked[0]?.(takesOfThird);
        await pass(A_TURN_MS);
        expect(tokens()).toEqual([1_000, 2, 4, 3]);
        return { asked, tokens, second, last };
      }

      // Where somebody waits for itself, this does not end.
      it("is asked about that one when its time has come", async () => {
        const { tokens } = await crossed();
        await pass(10_000);
        expect(tokens()).toEqual([1_000, 2, 4, 3, 1_000, 3]);
      });

      it("is asked at once, when that one goes, about every call that takes from its limit", async () => {
        const { tokens, last } = await crossed();
        await pass(5_000);
        expect(tokens()).toEqual([1_000, 2, 4, 3]);
        last.abort();
        await pass(A_TURN_MS);
        expect(tokens()).toEqual([1_000, 2, 4, 3, 1, 4]);
      });

      it("is not asked about that one before the first line, which is short of the same limit by now", async () => {
        const { asked, tokens } = await crossed({ retryAfterMs: 15_000 });
        await pass(10_000);
        asked[4]?.answer(shortOf("k3"));
        await pass(8_000);
        expect(tokens()).toEqual([1_000, 2, 4, 3, 1_000]);
      });

      it("is not asked about the call that waits for it when that one becomes the first of its line", async () => {
        const { tokens, second } = await crossed({ priority: 9 });
        second.abort();
        await pass(A_TURN_MS);
        expect(tokens()).toEqual([1_000, 2, 4, 3]);
      });
    });
  });

  it("is asked about one call of a key at a time, however urgent the next one is", async () => {
    const { queue, asked } = byHand();
    watch(queue.admit(KEY, CALL));
    asked[0]?.answer(short);
    await pass(10_000);
    watch(queue.admit(KEY, CALL, { priority: 0 }));
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(2);
    asked[1]?.answer(short);
    await pass(A_TURN_MS);
    expect(asked).toHaveLength(3);
  });

  it("is asked about a call that may not lose its place to a more urgent one meanwhile", async () => {
    const { queue, asked, checked } = byHand({ maxQueued: 1 });
    const call = watch(queue.admit(KEY, CALL));
    asked[0]?.answer(short);
    await pass(10_000);
    expect(asked).toHaveLength(2);
    const urgent = watch(queue.admit(KEY, CALL, { priority: 0 }));
    checked[0]?.(short);
    await pass(A_TURN_MS);
    expect(outcomes([call, urgent])).toEqual(["waits", "queue_full"]);
  });
});

describe("maxInFlight", () => {
  it("holds back calls that the gate has room for until earlier ones are settled", async () => {
    const { gate, queue } = setUp(aChain(), { maxInFlight: 2 });
    const calls = admits(queue, 4);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "admitted", "waits", "waits"]);
    await gate.settle(passed(await (calls[1]?.promise ?? fail())).reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "admitted", "admitted", "waits"]);
    await gate.release(passed(await (calls[0]?.promise ?? fail())).reservation);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "admitted", "admitted", "admitted"]);
  });

  it("keeps no call waiting that a settle had room for, once another one makes room in the queue", async () => {
    const project = { limits: { inputTpm: 100 } };
    const chains = [
      ...["k1", "k2", "k3"].map((id) => aChain({ project, key: { id } })),
      aChain({ project: { id: "p2" }, key: { id: "k4" } }),
    ];
    const { gate, queue } = setUp(chains, { maxInFlight: 3, maxWaitMs: 120_000 });
    const large = passed(await queue.admit(KEY, { ...CALL, inputTokens: 100 }));
    // At the same moment, so that neither waits behind the other.
    const small = ["k2", "k3"].map((keyId) => watch(queue.admit({ keyId }, { ...CALL, inputTokens: 30 })));
    await pass(A_TURN_MS);
    const others = admits(queue, 2, { keyId: "k4" });
    await pass(A_TURN_MS);
    expect(outcomes([...others, ...small])).toEqual(["admitted", "admitted", "waits", "waits"]);
    await gate.settle(large.reservation, { inputTokens: 0, outputTokens: 0 });
    await pass(A_TURN_MS);
    expect(outcomes(small)).toEqual(["admitted", "waits"]);
    await gate.settle(passed(await (others[0]?.promise ?? fail())).reservation, {});
    await pass(A_TURN_MS);
    expect(outcomes(small)).toEqual(["admitted", "admitted"]);
  });

  it("goes to the key that waits longest, also after another call of that key has hung up", async () => {
    const chains = ["k1", "k2"].map((id) => aChain({ key: { id } }));
    const { gate, queue } = setUp(chains, { maxInFlight: 1 });
    const { reservation } = passed(await queue.admit(KEY, CALL));
    const abort = new AbortController();
    const calls = [
      watch(queue.admit(KEY, CALL)),
      watch(queue.admit(KEY, CALL, { signal: abort.signal })),
      watch(queue.admit({ keyId: "k2" }, CALL)),
    ];
    await pass(A_TURN_MS);
    abort.abort("gone");
    await gate.release(reservation);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "threw", "waits"]);
  });

  it("counts a call that nobody settles until its reservation ends, also where it is asked for once more", async () => {
    const { queue } = setUp(aChain(), { maxInFlight: 2, maxWaitMs: 100_000 }, { reservationTtlMs: 60_000 });
    const named = { ...CALL, requestId: "r1" };
    passed(await queue.admit(KEY, named));
    await pass(30_000);
    passed(await queue.admit(KEY, named));
    passed(await queue.admit(KEY, CALL));
    const call = watch(queue.admit(KEY, CALL));
    await pass(29_000);
    expect(outcomes([call])).toEqual(["waits"]);
    await pass(1_000);
    expect(outcomes([call])).toEqual(["admitted"]);
  });

  it.each([
    ["first", ["queue", "gate"]],
    ["once more", ["gate", "queue"]],
  ] as const)(
    "is not used up by a call with a request id that was settled while the gate was asked about it, %s",
    async (when, order) => {
      const inner = memoryCounters();
      const answersMs = order.map((who) => (who === "queue" ? 20 : 5));
      const counters: Counters = {
        async reserve(request) {
          const outcome = await inner.reserve(request);
          await new Promise((resolve) => setTimeout(resolve, answersMs.shift() ?? 0));
          return outcome;
        },
        settle: (request) => inner.settle(request),
        read: (query) => inner.read(query),
        close: async () => {},
      };
      const made = setUp(aChain(), { maxInFlight: 1 }, { counters });
      const calls = new Map<string, ReturnType<typeof watch<Admission>>>();
      for (const who of order) {
        calls.set(who, watch(made[who].admit(KEY, { ...CALL, requestId: "r1" })));
        await pass(6);
      }
      await made.gate.settle(passed(await (calls.get("gate")?.promise ?? fail())).reservation, {});
      expect(outcomes([calls.get("queue") ?? fail()])).toEqual(["waits"]);
      await pass(20);
      const { replayed = false } = passed(await (calls.get("queue")?.promise ?? fail()));
      expect(replayed).toBe(when === "once more");
      const next = admits(made.queue, 1);
      await pass(A_TURN_MS);
      expect(outcomes(next)).toEqual(["admitted"]);
    },
  );

  it("is not used up by calls about which the gate fails", async () => {
    const { queue } = setUp(aChain(), { maxInFlight: 1 });
    await expect(queue.admit({ keyId: 5 } as never, CALL)).rejects.toThrow(ValidationError);
    const next = admits(queue, 1);
    await pass(A_TURN_MS);
    expect(outcomes(next)).toEqual(["admitted"]);
  });

  it("is not used up by a key whose calls wait for their limit", async () => {
    const { queue } = setUp([limited({ key: { rpm: 1 } }), aChain({ key: { id: "k2" } })], {
      maxInFlight: 2,
      maxWaitMs: 120_000,
    });
    admits(queue, 5);
    await pass(A_TURN_MS);
    passed(await queue.admit({ keyId: "k2" }, CALL));
  });
});

describe("priority", () => {
  it("goes before arrival, also before a call that waits at the head already", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 10 * 60_000 });
    const order: string[] = [];
    const say = (name: string, priority?: number) =>
      queue.admit(KEY, CALL, { priority }).then(() => order.push(name));
    say("first");
    await pass(A_TURN_MS);
    say("low, early", 8);
    await pass(A_TURN_MS);
    say("low, late", 8);
    say("middle");
    await pass(5_000);
    say("high", 0);
    await pass(6 * 61_000);
    expect(order).toEqual(["first", "high", "middle", "low, early", "low, late"]);
  });

  it("is what the option says of a call that does not say its own", async () => {
    const priority = (_key: unknown, { tags }: { tags?: Record<string, string> | undefined }) =>
      tags?.tier === "batch" ? 9 : 0;
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 10 * 60_000, priority });
    const order: string[] = [];
    passed(await queue.admit(KEY, CALL));
    for (const tier of ["batch", "chat"]) {
      queue.admit(KEY, { ...CALL, tags: { tier } }).then(() => order.push(tier));
    }
    await pass(3 * 61_000);
    expect(order).toEqual(["chat", "batch"]);
  });

  it("is 5 where nobody says any", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    const queued = vi.fn();
    queue.on("queued", queued);
    passed(await queue.admit(KEY, CALL));
    watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    expect(queued.mock.calls).toMatchObject([[{ priority: 5 }]]);
  });

  it("is asked of the option for no call whose usage is wrong", async () => {
    const priority = (_key: unknown, { tags }: { tags?: object | undefined }) => (tags ? 9 : 0);
    const { queue } = setUp(aChain(), { priority });
    await expect(queue.admit(KEY, null as never)).rejects.toThrow(ValidationError); // As plain JavaScript may ask.
  });

  it.each(["constructor", "__proto__", -1, 10, 0.5, Number.NaN])(
    "%s is refused by name",
    async (priority) => {
      const { queue } = setUp(aChain());
      await expect(queue.admit(KEY, CALL, { priority: priority as number })).rejects.toThrow(
        "options.priority",
      );
      const other = setUp(aChain(), { priority: () => priority as number });
      await expect(other.queue.admit(KEY, CALL)).rejects.toThrow("options.priority()");
    },
  );
});

describe("a key whose calls come while another waits for a limit of both", () => {
  const two = ["k1", "k2"].map((id) => aChain({ project: { limits: { inputTpm: 100 } }, key: { id } }));
  const small = { ...CALL, inputTokens: 10 };
  const big = { ...CALL, inputTokens: 50 };

  /** A queue behind which ten small calls of the first key have left no room, and a big one of the second waits for some. */
  async function waitingBig() {
    const made = setUp(two, { maxWaitMs: 10 * 60_000 });
    for (let i = 0; i < 10; i++) {
      passed(await made.queue.admit(KEY, small));
      await pass(6_000);
    }
    const waiting = watch(made.queue.admit({ keyId: "k2" }, big));
    await pass(A_TURN_MS);
    expect(outcomes([waiting])).toEqual(["waits"]);
    return { ...made, waiting };
  }

  it("does not pass it with calls that are small enough for the room there is", async () => {
    const { queue, waiting } = await waitingBig();
    const served: unknown[] = [];
    for (let i = 0; i < 10; i++) {
      queue.admit(KEY, small).then(({ admitted }) => served.push(admitted));
      await pass(6_000);
    }
    expect(outcomes([waiting])).toEqual(["admitted"]);
    // Those that were held are served as soon as they have room, none is forgotten.
    await pass(2 * 61_000);
    expect(served).toEqual(Array.from({ length: 10 }, () => true));
  });

  it("does not pass it with calls that wait in a line of their own either", async () => {
    const { queue, waiting } = await waitingBig();
    const many = Array.from({ length: 30 }, () => watch(queue.admit(KEY, small)));
    await pass(40_000);
    expect(outcomes([waiting])).toEqual(["admitted"]);
    await pass(5 * 61_000);
    expect(outcomes(many)).toEqual(many.map(() => "admitted"));
  });

  it("does not pass it where both came at the same moment, either", async () => {
    const { queue } = setUp(two, { maxWaitMs: 10 * 60_000 });
    for (let i = 0; i < 10; i++) {
      passed(await queue.admit(KEY, small));
      await pass(6_000);
    }
    const calls = [watch(queue.admit({ keyId: "k2" }, big)), watch(queue.admit(KEY, small))];
    await pass(20_000); // there is room for the small one after two seconds
    expect(outcomes(calls)).toEqual(["waits", "waits"]);
    await pass(20_000);
    expect(outcomes(calls)).toEqual(["admitted", "admitted"]);
  });

  it("does not pass it by a settle that frees enough of another limit, for which it waits as well", async () => {
    const project = { limits: { inputTpm: 100 } };
    const chains = [
      aChain({ project, key: { limits: { inFlight: 1 } } }),
      aChain({ project, key: { id: "k2" } }),
    ];
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000 });
    const first = passed(await queue.admit(KEY, { ...CALL, inputTokens: 90 }));
    const waiting = watch(queue.admit({ keyId: "k2" }, big));
    await pass(A_TURN_MS);
    const leaving = new AbortController();
    const held = [watch(queue.admit(KEY, CALL, { signal: leaving.signal }))];
    await pass(A_TURN_MS);
    held.push(watch(queue.admit(KEY, CALL)));
    await pass(A_TURN_MS);
    leaving.abort(new Error("gone"));
    await pass(A_TURN_MS);
    await gate.settle(first.reservation, { inputTokens: 80, outputTokens: 0 });
    await pass(A_TURN_MS);
    expect(outcomes([waiting, ...held])).toEqual(["waits", "threw", "waits"]);
  });

  it("is served at once when that one goes", async () => {
    const { queue } = await waitingBig();
    const leaving = new AbortController();
    const other = watch(
      queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 90 }, { signal: leaving.signal }),
    );
    await pass(31_000); // the first big one is served
    const held = watch(queue.admit(KEY, small));
    await pass(10_000);
    expect(outcomes([other, held])).toEqual(["waits", "waits"]);
    leaving.abort(new Error("gone"));
    await pass(A_TURN_MS);
    expect(outcomes([other, held])).toEqual(["threw", "admitted"]);
  });

  it("does not take a slot before it that was freed elsewhere", async () => {
    const chains = ["k1", "k2"].map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
    const counters = memoryCounters();
    const elsewhere = setUp(chains, {}, { counters }).gate;
    const { queue } = setUp(chains, { maxWaitMs: 4_000, pollMs: 200 }, { counters });
    let admission = passed(await queue.admit(KEY, CALL));
    const waiting = watch(queue.admit({ keyId: "k2" }, CALL));
    await pass(A_TURN_MS);
    await elsewhere.settle(admission.reservation, {});
    const next = watch(queue.admit(KEY, CALL));
    await pass(A_TURN_MS);
    expect(outcomes([waiting, next])).toEqual(["admitted", "waits"]);
    admission = passed(await waiting.promise);
    await elsewhere.settle(admission.reservation, {});
    await pass(200);
    expect(outcomes([next])).toEqual(["admitted"]);
  });

  it("passes it with what takes nothing from that limit: a free model behind a spent budget, no output behind a limit on it", async () => {
    for (const [limits, waits, passes] of [
      [{ budget: { usd: 1, reset: "daily" } }, { model: "gpt-4o", costUsd: 1 }, CALL],
      [{ outputTpm: 100 }, { ...CALL, maxOutputTokens: 100 }, CALL],
      [{ tpm: 100 }, { ...CALL, inputTokens: 100 }, { mcpServer: "github" }],
    ] as const) {
      const chains = ["k1", "k2"].map((id) => aChain({ project: { limits }, key: { id } }));
      const { queue } = setUp(chains, { maxWaitMs: 24 * 3_600_000 });
      passed(await queue.admit(KEY, waits));
      const held = watch(queue.admit(KEY, waits));
      await pass(A_TURN_MS);
      expect(outcomes([held])).toEqual(["waits"]);
      passed(await queue.admit({ keyId: "k2" }, passes));
    }
  });

  it("does not pass it by a settle that frees a slot for both, and too few tokens for that one", async () => {
    const chains = ["k1", "k2", "k3"].map((id) =>
      aChain({ project: { limits: { inputTpm: 100, inFlight: 2 } }, key: { id } }),
    );
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000, pollMs: 100_000 });
    const of = (inputTokens: number) => ({ ...CALL, inputTokens });
    const first = passed(await queue.admit(KEY, of(10)));
    const second = passed(await queue.admit(KEY, of(60)));
    // At the same moment, so that neither waits behind the other. Both are told of the slots, whose wait is longer.
    const calls = [watch(queue.admit({ keyId: "k2" }, of(50))), watch(queue.admit({ keyId: "k3" }, of(20)))];
    await pass(A_TURN_MS);
    await gate.release(first.reservation);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "waits"]);
    await gate.release(second.reservation);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "admitted"]);
  });

  it("does not pass it by a settle that frees enough of a limit that only the call waits for", async () => {
    const org = { limits: { inputTpm: 200 } };
    const project = { limits: { inputTpm: 100 } };
    const chains = [
      aChain({ org, project }),
      aChain({ org, project, key: { id: "k2" } }),
      aChain({ org, project: { id: "p2" }, key: { id: "k3" } }),
    ];
    const { gate, queue } = setUp(chains, { maxWaitMs: 120_000 });
    const of = (inputTokens: number) => ({ ...CALL, inputTokens });
    const first = passed(await queue.admit(KEY, of(20)));
    passed(await queue.admit(KEY, of(80)));
    const leaving = new AbortController();
    // At the same moment, so that neither waits behind the other.
    const calls = [
      watch(queue.admit({ keyId: "k3" }, of(150), { signal: leaving.signal })), // short of the org's
      watch(queue.admit({ keyId: "k2" }, of(20))), // short of the project's
    ];
    await pass(A_TURN_MS);
    await gate.release(first.reservation);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "waits"]);
    leaving.abort();
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["threw", "admitted"]);
  });

  it("is not held by that one where the gate, asked about it once more, finds it short of a limit of its own", async () => {
    const counters = memoryCounters();
    const org = { limits: { inFlight: 2 } };
    const chains = [
      aChain({ org, project: { limits: { inFlight: 1 } } }),
      aChain({ org, project: { id: "p2" }, key: { id: "k2" } }),
    ];
    const { queue } = setUp(chains, { maxWaitMs: 120_000, pollMs: 100_000 }, { counters });
    passed(await queue.admit(KEY, CALL));
    const elsewhere = world(chains, { clock: Date, counters }).gate;
    const { reservation } = passed(await elsewhere.admit({ keyId: "k2" }, CALL));
    const waiting = watch(queue.admit(KEY, CALL)); // short of the org's slots, and of the project's
    await pass(A_TURN_MS);
    await elsewhere.settle(JSON.stringify(reservation), {});
    const next = watch(queue.admit({ keyId: "k2" }, CALL));
    await pass(A_TURN_MS);
    expect(outcomes([waiting, next])).toEqual(["waits", "admitted"]);
  });

  it("is let go when that one comes to wait behind another for a limit of which it takes nothing", async () => {
    const org = { limits: { rpm: 2 } };
    const project = { limits: { rpm: 1 } };
    const chains = [
      aChain({ org, project }),
      aChain({ org, project, key: { id: "k2" } }),
      aChain({ org, project: { id: "p2" }, key: { id: "k3" } }),
    ];
    const { gate } = world(chains, { clock: Date });
    let [isHeld, hear] = [false, () => {}];
    const heard = new Promise<void>((resolve) => {
      hear = resolve;
    });
    const queue = createQueue(
      {
        ...gate,
        admit: async (key, usage) => {
          const answer = await gate.admit(key, usage);
          if (isHeld) await heard;
          return answer;
        },
      },
      { maxWaitMs: 120_000 },
    );
    passed(await queue.admit(KEY, CALL));
    const ofOther = passed(await queue.admit({ keyId: "k3" }, CALL));
    // At the same moment, so that neither waits behind the other. Both are short of the org's requests.
    const calls = [watch(queue.admit(KEY, CALL)), watch(queue.admit({ keyId: "k2" }, CALL))];
    await pass(A_TURN_MS);
    isHeld = true;
    await gate.release(ofOther.reservation);
    calls.push(watch(queue.admit({ keyId: "k3" }, CALL)));
    await pass(A_TURN_MS); // the first call is short of the project's limit, and nobody knows yet
    hear();
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["waits", "waits", "admitted"]);
  });

  it("is let go when that one comes to wait for a limit of its own", async () => {
    const project = { limits: { tpm: 100 } };
    const chains = [
      aChain({ project, key: { id: "k1", limits: { rpm: 1 } } }),
      aChain({ project, key: { id: "k2" } }),
    ];
    const { gate, queue } = setUp(chains, { maxWaitMs: 200_000 });
    passed(await gate.admit({ keyId: "k2" }, { ...CALL, inputTokens: 80 }));
    const first = watch(queue.admit(KEY, { ...CALL, inputTokens: 50 }));
    await pass(A_TURN_MS);
    const held = watch(queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 30 }));
    await pass(50_000);
    passed(await gate.admit(KEY, CALL));
    await pass(12_000);
    expect(outcomes([first, held])).toEqual(["waits", "admitted"]);
    await queue.close();
  });

  it("is let go with all that waits behind it, of one key and an urgent one before them, too", async () => {
    const { queue } = setUp(two, { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, { ...CALL, inputTokens: 80 }));
    const leaving = new AbortController();
    const first = watch(queue.admit(KEY, big, { signal: leaving.signal }));
    await pass(A_TURN_MS);
    const held = admits(queue, 3, { keyId: "k2" });
    await pass(A_TURN_MS);
    const urgent = admits(queue, 1, { keyId: "k2" }, 0);
    await pass(A_TURN_MS);
    expect(outcomes([first, ...held])).toEqual(["waits", "waits", "waits", "waits"]);
    leaving.abort(new Error("gone"));
    await pass(10 * A_TURN_MS);
    expect(outcomes([...held, ...urgent])).toEqual(["admitted", "admitted", "admitted", "admitted"]);
  });

  it.each(["while it waits", "while the gate is asked about it"])(
    "has its turn although that one is passed by urgent calls of its own key, %s",
    async (when) => {
      const chains = ["k1", "k2"].map((id) => aChain({ project: { limits: { inFlight: 1 } }, key: { id } }));
      const inner = memoryCounters();
      let asking = 0;
      const counters: Counters = {
        async reserve(request) {
          asking++;
          await new Promise((resolve) => setTimeout(resolve, 20));
          asking--;
          return inner.reserve(request);
        },
        settle: (request) => inner.settle(request),
        read: (query) => inner.read(query),
        close: async () => {},
      };
      const isSlow = when !== "while it waits";
      const options = { maxWaitMs: 60_000, pollMs: 500 };
      const { gate, queue } = setUp(chains, options, { counters: isSlow ? counters : inner });
      const order: string[] = [];
      const send = (name: string, keyId: string, priority: number) =>
        queue.admit({ keyId }, CALL, { priority }).then((admission) => {
          order.push(name);
          setTimeout(() => gate.settle(passed(admission).reservation, {}), 1_000);
        });
      send("first", "k1", 5);
      await pass(100);
      send("passed", "k1", 9);
      await pass(100);
      send("other", "k2", 5);
      await pass(100);
      while (isSlow && asking === 0) await pass(1);
      for (const name of ["urgent", "urgent, too"]) send(name, "k1", 0);
      await pass(20_000);
      expect(order).toEqual(["first", "urgent", "other", "urgent, too", "passed"]);
    },
  );

  it("is not kept in memory by that one once it is gone itself", async () => {
    const { queue } = setUp(two, { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, { ...CALL, inputTokens: 80 }));
    const waiting = watch(queue.admit(KEY, big));
    await pass(A_TURN_MS);
    const leave = async () => {
      const abort = new AbortController();
      const held = watch(queue.admit({ keyId: "k2" }, small, { signal: abort.signal }));
      await pass(A_TURN_MS);
      expect(outcomes([held])).toEqual(["waits"]);
      abort.abort(new Error("gone"));
      await pass(A_TURN_MS);
      return new WeakRef(abort.signal);
    };
    expect(await leftInMemory([await leave()])).toEqual([]);
    expect(outcomes([waiting])).toEqual(["waits"]);
  });

  it("is refused at once where waiting cannot help it", async () => {
    const { queue, gate } = setUp(two, { maxWaitMs: 120_000 });
    const refusals: string[] = [];
    gate.on("refusal", ({ refusal }) => refusals.push(refusal.reason));
    passed(await queue.admit(KEY, { ...CALL, inputTokens: 80 }));
    watch(queue.admit(KEY, big));
    await pass(A_TURN_MS);
    const tooLarge = watch(queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 101 }));
    await pass(A_TURN_MS);
    expect(outcomes([tooLarge])).toEqual(["too_large"]);
    expect(refusals).toContain("too_large");
  });

  it("is told nothing of the other key's limits", async () => {
    const chains = [
      aChain({ project: { limits: { inputTpm: 100 } }, key: { id: "k1", limits: { tpm: 12_345 } } }),
      aChain({ project: { limits: { inputTpm: 100 } }, key: { id: "k2", limits: { tpm: 50 } } }),
    ];
    for (const options of [{ maxWaitMs: 55_000 }, { maxWaitMs: 120_000, maxQueued: 1 }]) {
      const { queue } = setUp(chains, options);
      passed(await queue.admit(KEY, { ...CALL, inputTokens: 100 }));
      await pass(10_000);
      watch(queue.admit(KEY, { ...CALL, inputTokens: 100 }));
      await pass(A_TURN_MS);
      const held = watch(queue.admit({ keyId: "k2" }, CALL));
      await pass(56_000);
      expect(JSON.stringify(held.value ?? "admitted by now")).not.toContain("12345");
    }
  });

  it("does not keep more calls under way than maxInFlight, however many come while somebody waits", async () => {
    const chains = ["k0", "k1", "k2", "k3", "k4"].map((id) =>
      aChain({ project: { id: `p-${id}` }, key: { id, ...(id === "k0" && { limits: { rpm: 1 } }) } }),
    );
    const { queue } = setUp(chains, { maxWaitMs: 120_000, maxInFlight: 2 });
    const [one, two] = admits(queue, 2, { keyId: "k0" });
    await pass(A_TURN_MS);
    expect(outcomes([one, two] as never)).toEqual(["admitted", "waits"]);
    const others = ["k1", "k2", "k3", "k4"].flatMap((keyId) => admits(queue, 1, { keyId }));
    await pass(A_TURN_MS);
    expect(outcomes(others).filter((outcome) => outcome === "admitted")).toHaveLength(1);
  });

  it("gets the reservation that it has already, by its request id", async () => {
    const { queue } = setUp(two, { maxWaitMs: 120_000 });
    const named = { ...CALL, inputTokens: 80, requestId: "r1" };
    const { reservation } = passed(await queue.admit({ keyId: "k2" }, named));
    watch(queue.admit(KEY, big));
    await pass(A_TURN_MS);
    expect(passed(await queue.admit({ keyId: "k2" }, named)).reservation.id).toBe(reservation.id);
  });

  it("does not pass it while the gate is being asked about it, over counters that take their time", async () => {
    const inner = memoryCounters();
    const slow = async <T>(step: () => Promise<T>) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return step();
    };
    const counters: Counters = {
      reserve: (request) => slow(() => inner.reserve(request)),
      settle: (request) => slow(() => inner.settle(request)),
      read: (query) => slow(() => inner.read(query)),
      close: async () => {},
    };
    const { gate, queue } = setUp(two, { maxWaitMs: 20 * 60_000 }, { counters });
    const open: Admission[] = [];
    for (let i = 0; i < 10; i++) {
      const call = watch(queue.admit(KEY, small));
      await pass(6_100);
      if (call.value) open.push(call.value);
    }
    const waiting = watch(queue.admit({ keyId: "k2" }, { ...CALL, inputTokens: 60 }));
    await pass(200);
    for (let i = 0; i < 12; i++) {
      const ended = open.shift();
      if (ended?.admitted) void gate.settle(ended.reservation, { inputTokens: 10, outputTokens: 0 });
      await pass(10);
      const call = watch(queue.admit(KEY, small));
      await pass(6_100);
      if (call.value) open.push(call.value);
    }
    expect(outcomes([waiting])).toEqual(["admitted"]);
  });

  it("does not pass it at the moment it is asked about, where another process was faster", async () => {
    const counters = memoryCounters();
    const elsewhere = setUp(two, {}, { counters }).gate;
    const { gate, queue } = setUp(two, { maxWaitMs: 20 * 60_000 }, { counters });
    for (let i = 0; i < 2; i++) {
      passed(await gate.admit(KEY, big));
      await pass(10_000);
    }
    const most = { ...CALL, inputTokens: 95 };
    const waiting = watch(queue.admit(KEY, most));
    await pass(A_TURN_MS);
    const held = watch(queue.admit({ keyId: "k2" }, small));
    await pass(A_TURN_MS);
    const { retryAfterMs = 0 } = refusedBy(await gate.check(KEY, most));
    await pass(retryAfterMs - 1);
    const faster = elsewhere.admit({ keyId: "k2" }, small);
    await pass(1);
    await faster;
    await pass(1_000);
    expect(outcomes([waiting, held])).toEqual(["waits", "waits"]);
  });

  it("is asked about at once where they have no limit in common", async () => {
    const chains = [
      limited({ key: { rpm: 1 } }),
      aChain({ project: { id: "p2", limits: { rpm: 1 } }, key: { id: "k2" } }),
    ];
    const { queue } = setUp(chains, { maxWaitMs: 120_000 });
    admits(queue, 3);
    await pass(A_TURN_MS);
    passed(await queue.admit({ keyId: "k2" }, CALL));
  });
});

describe("a full queue", () => {
  it("refuses, with the wait that the gate tells", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 150_000, maxQueued: 2 });
    const calls = admits(queue, 5);
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "waits", "waits", "queue_full", "queue_full"]);
    expect(calls[3]?.value).toMatchObject({
      limit: { meter: "requests", max: 1 },
      limits: [{ meter: "requests", max: 1 }],
      retryAfterMs: expect.any(Number),
    });
    expect(outcomes([...calls, ...admits(queue, 1)]).at(-1)).toBe("waits"); // its answer comes, too
    await pass(10 * 61_000);
    expect(outcomes(calls)).toEqual(["admitted", "admitted", "admitted", "queue_full", "queue_full"]);
  });

  it("tells the limit that was short also to a call that was never the first of its line", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 150_000, maxQueued: 2 });
    passed(await queue.admit(KEY, CALL));
    admits(queue, 1);
    await pass(A_TURN_MS);
    const behind = admits(queue, 2, KEY, 9);
    await pass(A_TURN_MS);
    behind.push(...admits(queue, 1, KEY, 0));
    await pass(A_TURN_MS);
    expect(outcomes(behind)).toEqual(["queue_full", "queue_full", "waits"]);
    for (const { value } of behind.slice(0, 2)) {
      const limit = { meter: "requests", max: 1 };
      expect(value).toMatchObject({ scope: "key", limit, limits: [limit], retryAfterMs: expect.any(Number) });
    }
  });

  it("gives the last place of a noisy key to a quieter one, and to a more urgent call of the same key", async () => {
    const { queue } = setUp(keysOf(["k1", "k2"], 1), { maxWaitMs: 10 * 60_000, maxQueued: 3 });
    const noisy = admits(queue, 4);
    await pass(A_TURN_MS);
    const quiet = admits(queue, 1, { keyId: "k2" });
    await pass(A_TURN_MS);
    expect(outcomes([...noisy, ...quiet])).toEqual(["admitted", "waits", "waits", "queue_full", "waits"]);
    const urgent = admits(queue, 1, KEY, 0);
    await pass(A_TURN_MS);
    expect(outcomes([...noisy, ...quiet, ...urgent])).toEqual([
      "admitted",
      "waits",
      "queue_full",
      "queue_full",
      "waits",
      "waits",
    ]);
    const another = admits(queue, 1, { keyId: "k2" });
    await pass(A_TURN_MS);
    expect(outcomes(another)).toEqual(["queue_full"]);
  });

  it("gives the place of the least urgent call of a key to a more urgent one", async () => {
    const { queue } = setUp(keysOf(["k1"], 1), { maxWaitMs: 10 * 60_000, maxQueued: 2 });
    const calls = [undefined, 9, 1, 0].flatMap((priority) => admits(queue, 1, KEY, priority));
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "queue_full", "waits", "waits"]);
  });

  it("gives one of two places to a key that has none", async () => {
    const { queue } = setUp(keysOf(["k1", "k2"], 1), { maxWaitMs: 10 * 60_000, maxQueued: 2 });
    const noisy = admits(queue, 3);
    await pass(A_TURN_MS);
    const quiet = admits(queue, 1, { keyId: "k2" });
    await pass(A_TURN_MS);
    expect(outcomes([...noisy, ...quiet])).toEqual(["admitted", "waits", "queue_full", "waits"]);
  });

  it("tells a call that loses its place what its own key is short of", async () => {
    const chains = ["k1", "k2"].map((id) => aChain({ key: { id, limits: { rpm: 1 } } }));
    const { queue } = setUp(chains, { maxWaitMs: 10 * 60_000, maxQueued: 2 });
    passed(await queue.admit({ keyId: "k2" }, CALL));
    const noisy = admits(queue, 3);
    await pass(A_TURN_MS);
    const quiet = admits(queue, 1, { keyId: "k2" });
    await pass(A_TURN_MS);
    expect(outcomes([...noisy, ...quiet])).toEqual(["admitted", "waits", "queue_full", "waits"]);
    expect(noisy[2]?.value).toMatchObject({ limit: { scope: "key", scopeId: "k1" } });
  });
});

describe("an abort", () => {
  it("is told by a whole signal, or that is refused by name", async () => {
    const { queue } = setUp(aChain());
    for (const signal of [{}, new EventTarget()]) {
      await expect(queue.admit(KEY, CALL, { signal: signal as never })).rejects.toThrow("options.signal");
    }
  });

  it("before the call leaves everything as it is, and is the reason of the rejection", async () => {
    const { gate, queue } = setUp(limited({ key: { rpm: 5 } }));
    const reason = new Error("gone");
    await expect(queue.admit(KEY, CALL, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(readingOf(gate, "requests")).resolves.toMatchObject({ used: 0 });
  });

  it("leaves the queue at once, and lets the next one in where there is room for that", async () => {
    const { gate, queue } = setUp(limited({ key: { inputTpm: 100 } }), { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, { ...CALL, inputTokens: 50 }));
    const abort = new AbortController();
    const large = watch(queue.admit(KEY, { ...CALL, inputTokens: 60 }, { signal: abort.signal }));
    await pass(A_TURN_MS);
    const small = watch(queue.admit(KEY, { ...CALL, inputTokens: 50 }));
    await pass(A_TURN_MS);
    expect(outcomes([large, small])).toEqual(["waits", "waits"]);
    abort.abort("gone");
    await pass(A_TURN_MS);
    expect(large.error).toBe("gone");
    expect(outcomes([small])).toEqual(["admitted"]);
    expect(queue.status().waiting).toBe(0);
    await expect(readingOf(gate, "inputTokens")).resolves.toMatchObject({ used: 100 });
  });

  it("of the last one that waits leaves no timer behind, which would keep the process", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    passed(await queue.admit(KEY, CALL));
    const abort = new AbortController();
    const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
    await pass(A_TURN_MS);
    abort.abort("gone");
    await pass(A_TURN_MS);
    expect(outcomes([call])).toEqual(["threw"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("while the gate is being asked releases what was reserved", async () => {
    const { gate, queue } = setUp(limited({ key: { rpm: 5, inFlight: 5 } }));
    const abort = new AbortController();
    const call = watch(queue.admit(KEY, CALL, { signal: abort.signal }));
    abort.abort();
    await pass(A_TURN_MS);
    expect(call.error).toMatchObject({ name: "AbortError" });
    await expect(readingOf(gate, "requests")).resolves.toMatchObject({ used: 0 });
    await expect(readingOf(gate, "inFlight")).resolves.toMatchObject({ used: 0 });
  });

  it("is listened for no longer than the call has no answer", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    const { signal } = new AbortController();
    passed(await queue.admit(KEY, CALL, { signal }));
    const waiting = watch(queue.admit(KEY, CALL, { signal }));
    await pass(A_TURN_MS);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await queue.close();
    expect(outcomes([waiting])).toEqual(["threw"]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("of a repeated request id leaves the reservation of the first call open", async () => {
    const { gate, queue } = setUp(limited({ key: { inFlight: 5 } }));
    const usage = { ...CALL, requestId: "r1" };
    const first = passed(await queue.admit(KEY, usage));
    const abort = new AbortController();
    const again = watch(queue.admit(KEY, usage, { signal: abort.signal }));
    abort.abort();
    await pass(A_TURN_MS);
    expect(outcomes([again])).toEqual(["threw"]);
    await expect(gate.settle(first.reservation, {})).resolves.toMatchObject({ settled: true });
  });
});

describe("closing", () => {
  it("rejects those who wait and those who come later with ClosedError, and leaves no reservation", async () => {
    const { gate, queue } = setUp(
      [limited({ key: { rpm: 1, inFlight: 9 } }), aChain({ key: { id: "k2" } })],
      {
        maxWaitMs: 120_000,
      },
    );
    const waiting = admits(queue, 3);
    await pass(A_TURN_MS);
    const asking = admits(queue, 1, { keyId: "k2" });
    await queue.close();
    expect(outcomes([...waiting, ...asking])).toEqual(["admitted", "threw", "threw", "threw"]);
    for (const { error } of [...waiting.slice(1), ...asking]) {
      expect(error).toBeInstanceOf(ClosedError);
      expect(String(error)).toContain("queue is closed");
    }
    await expect(queue.admit(KEY, CALL)).rejects.toThrow(ClosedError);
    await expect(readingOf(gate, "inFlight")).resolves.toMatchObject({ used: 1 });
    expect(queue.status().waiting).toBe(0);
    await pass(A_TURN_MS);
    expect(vi.getTimerCount()).toBe(0);
    passed(await gate.admit({ keyId: "k2" }, CALL)); // the gate stays open
  });

  it("waits until what was being reserved is given back", async () => {
    const inner = memoryCounters();
    const counters: Counters = {
      reserve: (request) => inner.reserve(request),
      async settle(request) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return inner.settle(request);
      },
      read: (query) => inner.read(query),
      close: async () => {},
    };
    const { gate, queue } = setUp(limited({ key: { inFlight: 1 } }), {}, { counters });
    watch(queue.admit(KEY, CALL));
    const closed = vi.fn();
    queue.close().then(closed);
    await pass(19);
    expect(closed).not.toHaveBeenCalled();
    await pass(1);
    expect(closed).toHaveBeenCalled();
    await expect(readingOf(gate, "inFlight")).resolves.toMatchObject({ used: 0 });
  });

  it("listens to the gate no more", async () => {
    const { gate } = world(limited({ key: { rpm: 1 } }), { clock: Date });
    const stop = vi.fn();
    const { admit, check, release } = gate;
    const queue = createQueue({ admit, check, release, on: () => stop });
    await queue.close();
    expect(stop).toHaveBeenCalledOnce();
  });
});

describe("keys", () => {
  it("such as constructor and __proto__ are ordinary", async () => {
    const ids = ["constructor", "__proto__", "toString", "k1"];
    const chains = ids.map((id) => aChain({ key: { id, limits: { rpm: 1 } } }));
    const { queue } = setUp(chains, { maxWaitMs: 120_000 });
    const calls = ids.flatMap((keyId) => admits(queue, 2, { keyId }));
    await pass(A_TURN_MS);
    expect(queue.status()).toMatchObject({ waiting: 4, keys: 4 });
    await pass(61_000);
    expect(outcomes(calls)).toEqual(Array.from({ length: 8 }, () => "admitted"));
  });

  it("may be tokens, and no event holds one", async () => {
    const { queue, tokens } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000 });
    const events: unknown[] = [];
    queue.on("queued", (event) => events.push(event));
    queue.on("left", (event) => events.push(event));
    const calls = admits(queue, 2, tokens.get("k1"));
    await pass(61_000);
    expect(outcomes(calls)).toEqual(["admitted", "admitted"]);
    expect(events).toHaveLength(2);
    expect(JSON.stringify(events)).not.toContain("sk-tg-");
  });
});

describe("events", () => {
  it("tell depth and waits, and how each call left", async () => {
    const { queue } = setUp(limited({ key: { rpm: 1 } }), { maxWaitMs: 120_000, maxQueued: 2 });
    const told: unknown[] = [];
    queue.on("queued", (event) => told.push(["queued", event.depth]));
    const off = queue.on("left", (event) =>
      told.push([event.outcome, event.depth, event.waitedMs >= 59_000]),
    );
    const abort = new AbortController();
    admits(queue, 2);
    queue.admit(KEY, CALL, { signal: abort.signal }).catch(() => {});
    await pass(A_TURN_MS);
    admits(queue, 1);
    await pass(A_TURN_MS);
    abort.abort();
    await pass(61_000);
    expect(told).toEqual([
      ["queued", 1],
      ["queued", 2],
      ["full", 2, false],
      ["aborted", 1, false],
      ["admitted", 0, true],
    ]);
    off();
  });
});

describe("the time of a queue", () => {
  it("is that of the timers it is given", async () => {
    const due: { at: number; run: () => void }[] = [];
    let now = 0;
    const timers = {
      now: () => now,
      after(ms: number, run: () => void) {
        const entry = { at: now + ms, run };
        due.push(entry);
        return () => void due.splice(due.indexOf(entry), 1);
      },
    };
    const { gate, queue } = setUp(limited({ key: { inFlight: 1 } }), { timers, maxWaitMs: 5_000 });
    passed(await gate.admit(KEY, CALL));
    const call = watch(queue.admit(KEY, CALL));
    await pass(60_000);
    expect(outcomes([call])).toEqual(["waits"]);
    now = 5_000;
    for (const { run } of due.filter(({ at }) => at <= now)) run();
    await pass(0);
    expect(outcomes([call])).toEqual(["queue_timeout"]);
  });
});

describe("a queue that is full", () => {
  it("tells a caller without a token what is wrong, as one with room does", async () => {
    const { queue } = setUp(limited({ key: { inFlight: 1 } }), { maxInFlight: 1 });
    passed(await queue.admit(KEY, CALL));
    for (const key of [undefined, null]) {
      await expect(queue.admit(key as never, CALL)).rejects.toThrow(ValidationError);
    }
    expect(queue.status().waiting).toBe(0);
  });

  it.each([
    ["by an unknown token", createToken("sk-tg-"), CALL, "invalid_key"],
    ["by an amount that never fits", { keyId: "k2" }, { ...CALL, inputTokens: 11 }, "too_large"],
  ])("gives nobody's place to a call that waiting cannot help, %s", async (_, key, usage, reason) => {
    const chains = [aChain(), aChain({ key: { id: "k2", limits: { inputTpm: 10 } } })];
    const { queue } = setUp(chains, { maxInFlight: 1, maxQueued: 2 });
    const calls = admits(queue, 3);
    await pass(A_TURN_MS);
    calls.push(watch(queue.admit(key, usage)));
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "waits", "waits", reason]);
  });

  it("gives no place to a call that has gone while the gate was asked whether it may have one", async () => {
    const { queue } = setUp(aChain(), { maxInFlight: 1, maxQueued: 1 });
    const calls = admits(queue, 2);
    await pass(A_TURN_MS);
    const abort = new AbortController();
    calls.push(watch(queue.admit(KEY, CALL, { priority: 0, signal: abort.signal })));
    abort.abort("gone");
    await pass(A_TURN_MS);
    expect(outcomes(calls)).toEqual(["admitted", "waits", "threw"]);
    expect(queue.status().waiting).toBe(1);
  });

  it("keeps nothing of the calls that it has turned away", async () => {
    const { queue } = setUp(keysOf(["k1", "k2", "k3"], 1), { maxQueued: 1, maxWaitMs: 10 * 60_000 });
    passed(await queue.admit(KEY, CALL));
    const waiting = watch(queue.admit({ keyId: "k2" }, CALL));
    await pass(A_TURN_MS);
    const turnedAway = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const usage = { ...CALL };
        expect(refusedBy(await queue.admit({ keyId: "k3" }, usage)).reason).toBe("queue_full");
        return new WeakRef(usage);
      }),
    );
    expect(await leftInMemory(turnedAway)).toEqual([]);
    expect(outcomes([waiting])).toEqual(["waits"]);
  });
});

describe("options", () => {
  it.each([
    [{ maxWaitMs: 0 }, "options.maxWaitMs"],
    [{ maxQueued: 1.5 }, "options.maxQueued"],
    [{ maxInFlight: -1 }, "options.maxInFlight"],
    [{ priority: 3 }, "options.priority"],
    [{ pollMs: 2 ** 31 }, "options.pollMs"],
    [{ timers: {} }, "options.timers"],
    [{ maxWait: 5 }, "options.maxWait"],
  ])("%o is refused by name", (options, field) => {
    const { gate } = world();
    expect(() => createQueue(gate, options as never)).toThrow(field);
  });
});

it.each(["admit", "check", "release", "on"])("a queue stands before no gate without %s", (method) => {
  const { gate } = world();
  expect(() => createQueue({ ...gate, [method]: undefined })).toThrow(ValidationError);
});

function fail(): never {
  throw new Error("there is no such call");
}

/**
 * What is still in memory after whole garbage collections. One may not do: V8 compiles hot functions beside the
 * program and holds what they refer to until it is done, which on a busy machine takes some turns.
 */
async function leftInMemory(references: readonly WeakRef<object>[]): Promise<object[]> {
  const left = () => references.flatMap((reference) => reference.deref() ?? []);
  for (let collections = 0; collections < 100 && left().length > 0; collections++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  return left();
}

/** A whole garbage collection, by a function that Node shows to whoever asks for it. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
