import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Counters } from "../../../src/counters/counters.js";
import { redisCounters } from "../../../src/redis.js";
import { ioredisClient, ownPrefix, redisAnswers, removeKeys } from "../../counters/redis/server.js";
import { eventually } from "../../eventually.js";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { aChain, elsewhere, limited, world } from "../world.js";

const HAS_REDIS = await redisAnswers();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });

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
  function local(limits: Parameters<typeof limited>[0], reservationTtlMs = 1_000, countersTimeoutMs = 1_000) {
    const store = elsewhere();
    const health = {
      isDown: false,
      isSlow: false,
      givesNothing: false,
      extendsNothing: false,
      losesAnswers: false,
    };
    const slow: (() => void)[] = [];
    const charged: (readonly Charge[])[] = [];
    const counters: Counters = {
      ...store,
      async reserve(request) {
        const isCutOff =
          health.isDown ||
          (health.givesNothing && !request.dryRun) ||
          (health.extendsNothing && request.extend);
        if (isCutOff) throw new Error("ECONNREFUSED");
        if (health.isSlow) await new Promise<void>((resolve) => slow.push(resolve));
        if (request.dryRun) return store.reserve(request);
        charged.push(request.charges);
        const answer = await store.reserve(request);
        if (health.losesAnswers) throw new Error("ECONNRESET");
        return answer;
      },
    };
    const made = world(limited(limits), {
      counters,
      onCountersDown: "local",
      localShare: 1,
      reservationTtlMs,
      countersTimeoutMs,
    });
    return { ...made, counters, health, slow, charged };
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

  it("ends at the end of its own TTL also where the store has taken it over in the middle of that", async () => {
    const { gate, clock, health } = local({ key: { inFlight: 1 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const { reservation } = passed(await gate.admit(KEY, CALL));
    clock.at += 600;
    health.isDown = false;
    await gate.check(KEY, CALL); // recovers
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 1 });
    clock.at += 400;
    expect(await gate.settle(reservation, {})).toEqual({ settled: false, reason: "expired" });
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
  });

  it("is counted once where the store makes what it was offered only after the call has ended and was given", async () => {
    const { gate, health, slow } = local(
      { key: { inFlight: 5, budget: { usd: 1, reset: "daily" } } },
      60_000,
      50,
    );
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const { reservation } = passed(await gate.admit(KEY, CALL));
    Object.assign(health, { isDown: false, isSlow: true });
    const check = gate.check(KEY, CALL);
    await eventually(() => expect(slow).toHaveLength(1));
    slow.shift()?.();
    passed(await check);
    await eventually(() => expect(slow).toHaveLength(1)); // what is offered
    settled(await gate.settle(reservation, { costUsd: 0.2 }));
    await setTimeout(100); // given up
    health.isSlow = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    slow.shift()?.();
    await setTimeout(20);
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.2 } });
  });

  it("has nothing of a check in it", async () => {
    const { gate, health } = local({ key: { rpm: 9 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    settled(await gate.release(passed(await gate.admit(KEY, CALL)).reservation));
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

  it.skipIf(!HAS_REDIS)(
    "keeps its moment of admission, by which ledgers know it, wherever it is found",
    async () => {
      const client = ioredisClient();
      const prefix = ownPrefix();
      onTestFinished(async () => {
        await removeKeys(client, prefix);
        client.disconnect();
      });
      const store = redisCounters({ client, prefix });
      let isDown = true;
      const counters: Counters = {
        reserve: (request) => (isDown ? Promise.reject(new Error("ECONNREFUSED")) : store.reserve(request)),
        settle: (request) => store.settle(request),
        read: (query) => store.read(query),
        close: () => store.close(),
      };
      const call = { ...CALL, requestId: "r" };
      const { gate, clock } = world(BUDGET, { counters, onCountersDown: "local" });
      const restored = vi.fn();
      gate.on("restored", restored);
      const { reservation } = passed(await gate.admit(KEY, call));
      isDown = false;
      clock.at += 5_000;
      passed(await gate.check(KEY, CALL));
      await eventually(() => expect(restored).toHaveBeenCalledOnce());
      const other = world(BUDGET, { counters: store });
      other.clock.at = clock.at;
      expect(passed(await other.gate.admit(KEY, call))).toMatchObject({
        replayed: true,
        reservation: { id: reservation.id, reservedAt: reservation.reservedAt },
      });
    },
  );

  it("does not use up a minute that was over before the counters were back", async () => {
    const { gate, clock, health } = local({ key: { rpm: 9, rpd: 90 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    for (let call = 1; call <= 20; call++) {
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
      clock.at += 10_000;
    }
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    const [perMinute, perDay] = await gate.usage({ orgId: "o1", ...KEY });
    expect(perDay).toMatchObject({ window: "day", used: 20 });
    expect(perMinute).toMatchObject({ window: "minute", used: 6 });
    passed(await gate.admit(KEY, CALL));
  });

  it("is given to the day of its call, and at every scope, where a budget starts again in the outage", async () => {
    const limits = { budget: { usd: 9, reset: "daily" as const } };
    const { gate, clock, health } = local({ project: limits, key: limits });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const spend = async (costUsd: number) =>
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { costUsd }));
    for (const costUsd of [1, 2]) await spend(costUsd);
    clock.at += 86_400_000;
    await spend(4);
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    for (const scope of ["project", "key"] as const)
      expect(await readingOf(gate, "cost", scope)).toMatchObject({ usd: { used: 4 } });
  });

  it("can be settled by another process only once the store has it: until then, nobody else knows it", async () => {
    const { gate, counters, health } = local({ key: { budget: { usd: 1, reset: "daily" } } });
    const other = world(BUDGET, { counters }).gate;
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const reservation = JSON.stringify(passed(await gate.admit(KEY, CALL)).reservation);
    health.isDown = false;
    expect(await other.settle(reservation, {})).toEqual({ settled: false, reason: "unknown_reservation" });
    passed(await gate.check(KEY, CALL)); // recovers
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    settled(await other.settle(reservation, { costUsd: 0.05 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 50_000_000 });
  });

  it("is asked of the store how it ended, also long after the store has taken it over and let it expire", async () => {
    const { gate, clock, health } = local({ key: { inFlight: 9, rpm: 90 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    const outage = async () => {
      restored.mockClear();
      health.isDown = true;
      const { reservation } = passed(await gate.admit(KEY, CALL));
      health.isDown = false;
      passed(await gate.check(KEY, CALL));
      await eventually(() => expect(restored).toHaveBeenCalledOnce());
      return reservation;
    };
    const expired = await outage();
    const ended = await outage();
    settled(await gate.settle(ended, {}));
    clock.at += 1_001;
    await outage();
    expect(await gate.settle(expired, {})).toEqual({ settled: false, reason: "expired" });
    await expect(gate.extend(expired, { maxOutputTokens: 1 })).rejects.toThrow(/expired/);
    expect(await gate.settle(ended, {})).toEqual({ settled: false, reason: "already_settled" });
  });

  it("answers for itself how it ended, also where the store has been given what it came to", async () => {
    const { gate, clock, health } = local({ key: { rpm: 90 } });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    const ended = passed(await gate.admit(KEY, CALL)).reservation;
    const expired = passed(await gate.admit(KEY, CALL)).reservation;
    settled(await gate.settle(ended, {}));
    clock.at += 1_001;
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(await gate.settle(ended, {})).toEqual({ settled: false, reason: "already_settled" });
    expect(await gate.settle(expired, {})).toEqual({ settled: false, reason: "expired" });
  });

  describe("and is in the window of a minute when the counters are back", () => {
    const tokens = (inputTokens: number) => ({ model: "gpt-4o", inputTokens, maxOutputTokens: 0 });

    /** A minute of 1,000 tokens, after which the counters are back. */
    function minute() {
      const { gate, clock, health } = local({ key: { tpm: 1_000 } }, 3_600_000);
      const restored = vi.fn();
      gate.on("restored", restored);
      health.isDown = true;
      const admit = async (inputTokens: number) =>
        passed(await gate.admit(KEY, tokens(inputTokens))).reservation;
      const call = async (inputTokens: number) =>
        settled(await gate.settle(await admit(inputTokens), { outputTokens: 0 }));
      const usedAfter = async () => {
        health.isDown = false;
        passed(await gate.check(KEY, tokens(1)));
        await eventually(() => expect(restored).toHaveBeenCalledOnce());
        return (await readingOf(gate, "tokens")).used;
      };
      return { gate, clock, health, admit, call, usedAfter };
    }

    it("is given once where a call is open by then", async () => {
      const { gate, clock, admit, call, usedAfter } = minute();
      await call(600);
      clock.at += 70_000;
      const open = await admit(400);
      clock.at += 1_000;
      expect(await usedAfter()).toBe(400);
      passed(await gate.check(KEY, tokens(600)));
      settled(await gate.settle(open, { inputTokens: 0, outputTokens: 0 }));
      expect(await readingOf(gate, "tokens")).toMatchObject({ used: 0 });
    });

    it("is given once where it was tried to be given before", async () => {
      const { gate, clock, health, call, usedAfter } = minute();
      await call(600);
      Object.assign(health, { isDown: false, givesNothing: true });
      passed(await gate.check(KEY, tokens(1)));
      Object.assign(health, { isDown: true, givesNothing: false });
      await call(10);
      clock.at += 70_000;
      await call(400);
      expect(await usedAfter()).toBe(400);
    });

    it("is what was charged in it, also of a call that took longer", async () => {
      const { gate, clock, admit, usedAfter } = minute();
      const long = await admit(300);
      const extended = await admit(100);
      clock.at += 65_000;
      passed(await gate.extend(extended, { inputTokens: 50 }));
      clock.at += 5_000;
      settled(await gate.settle(long, { inputTokens: 320, outputTokens: 0 }));
      settled(await gate.settle(extended, { inputTokens: 130, outputTokens: 0 }));
      expect(await usedAfter()).toBe(20 + 30);
    });

    it("is what a settle put above all that was reserved, whenever that was", async () => {
      const { gate, clock, admit, usedAfter } = minute();
      const extended = await admit(100);
      clock.at += 5_000;
      passed(await gate.extend(extended, { inputTokens: 50 }));
      clock.at += 30_000;
      settled(await gate.settle(extended, { inputTokens: 180, outputTokens: 0 }));
      clock.at += 40_000;
      expect(await usedAfter()).toBe(30);
    });
  });

  it.each([{ givesNothing: true }, { extendsNothing: true }])(
    "is given with what it was extended by after an offer whose answer was lost, also once it has expired: %o",
    async (cutOff) => {
      const { gate, clock, health } = local({ key: { budget: { usd: 9, reset: "never" } } });
      const restored = vi.fn();
      gate.on("restored", restored);
      const offered = async (how: Partial<typeof health>) => {
        Object.assign(health, { isDown: false, ...how });
        passed(await gate.check(KEY, CALL));
        await setTimeout(1); // the offer has failed
        Object.assign(health, {
          isDown: true,
          losesAnswers: false,
          givesNothing: false,
          extendsNothing: false,
        });
      };
      health.isDown = true;
      const { reservation } = passed(await gate.admit(KEY, CALL));
      await offered({ losesAnswers: true });
      passed(await gate.extend(reservation, { costUsd: 0.2 }));
      await offered(cutOff);
      clock.at += 2_000;
      health.isDown = false;
      passed(await gate.check(KEY, CALL));
      await eventually(() => expect(restored).toHaveBeenCalledOnce());
      expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.3 } });
    },
  );

  it("is given in two steps, however often it was tried to be given before", async () => {
    const { gate, health, charged } = local({ key: { rpm: 90, budget: { usd: 9, reset: "daily" } } });
    const restored = vi.fn();
    gate.on("restored", restored);
    for (let call = 1; call <= 9; call++) {
      Object.assign(health, { isDown: true, givesNothing: false });
      settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
      Object.assign(health, { isDown: false, givesNothing: true });
      passed(await gate.check(KEY, CALL));
      await setTimeout(1); // tried and failed
    }
    Object.assign(health, { isDown: false, givesNothing: false });
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 9 });
    expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.9 } });
    // What was on its way at the first try has an id by which it is charged once. The rest is one step more.
    expect(charged).toHaveLength(2);
  });

  it("is given in steps that hold up nobody, however many keys it is of", async () => {
    const limits = { rpm: 90, budget: { usd: 9, reset: "daily" as const } };
    const { gate, health, put, charged } = local({ key: limits });
    const restored = vi.fn();
    gate.on("restored", restored);
    health.isDown = true;
    for (let key = 1; key <= 120; key++) {
      put(aChain({ key: { id: `k${key}`, limits } }));
      const { reservation } = passed(await gate.admit({ keyId: `k${key}` }, CALL));
      settled(await gate.settle(reservation, { costUsd: 0.2 }));
    }
    health.isDown = false;
    passed(await gate.check(KEY, CALL));
    await eventually(() => expect(restored).toHaveBeenCalledOnce());
    expect(charged.map((step) => step.length)).toEqual([100, 100, 40]);
    for (const keyId of ["k1", "k50", "k51", "k120"]) {
      const [requests, cost] = await gate.usage({ orgId: "o1", keyId });
      expect(requests).toMatchObject({ meter: "requests", used: 1 });
      expect(cost).toMatchObject({ usd: { used: 0.2 } });
    }
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
