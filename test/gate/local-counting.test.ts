import { afterEach, describe, expect, it, vi } from "vitest";
import type { Counters } from "../../src/counters/counters.js";
import { eventually } from "../eventually.js";
import { passed, readingOf, settled } from "../scenarios/answers.js";
import { elsewhere, limited, world } from "./world.js";

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
