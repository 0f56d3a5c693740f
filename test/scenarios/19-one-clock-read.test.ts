import { type Clock, type GateOptions, priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import { aChain, NOON, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

/** A clock that counts how often it was asked and moves on by `stepMs` each time. */
function counting(stepMs = 0) {
  let at = NOON;
  let reads = 0;
  const clock: Clock = {
    now() {
      reads++;
      at += stepMs;
      return at;
    },
  };
  return {
    clock,
    /** How often the clock was asked during `work`. */
    async during(work: () => Promise<unknown>): Promise<number> {
      const before = reads;
      await work();
      return reads - before;
    },
    set(now: number) {
      at = now;
    },
  };
}

const LIMITS = {
  rpm: 5,
  tpm: 100_000,
  inFlight: 3,
  budget: [
    { usd: 5, reset: "daily" as const },
    { usd: 50, reset: "monthly" as const },
  ],
  perModel: { "gpt-4o-mini": { rpm: 3 } },
};

const CHAIN = aChain({
  org: { limits: LIMITS, virtualModels: { smart: ["gpt-4o", "gpt-4o-mini"] } },
  project: { limits: LIMITS },
  holder: { limits: LIMITS },
  key: { limits: LIMITS, expiresAt: NOON + 86_400_000 * 90 },
});

const KEY = { keyId: "k1" };
const CALL = { model: "smart", inputTokens: 100, maxOutputTokens: 100 };

const one = (options: GateOptions, parts = CHAIN) => world(parts, options).gate;

describe.each(everyCounters)("one decision reads the clock once (any-llm#917), %s", (_, make) => {
  it("when it admits, with and without a look-up of the key", async () => {
    const { clock, during } = counting();
    const gate = one({ clock, counters: make() });
    expect(await during(() => gate.admit(KEY, CALL))).toBe(1);
    expect(await during(() => gate.admit(KEY, CALL))).toBe(1);
    expect(await during(() => gate.check(KEY, CALL))).toBe(1);
  });

  it("when it refuses, for a limit, a model or an unknown key", async () => {
    const { clock, during } = counting();
    const gate = one({ clock, counters: make(), prices: priceCatalog.of({}) });
    expect(await during(() => gate.admit(KEY, CALL))).toBe(1);
    expect(await during(() => gate.admit(KEY, { ...CALL, costUsd: 6 }))).toBe(1);
    expect(await during(() => gate.admit({ keyId: "nobody" }, CALL))).toBe(1);
    expect(await during(() => gate.admit("not a token", CALL))).toBe(1);
    expect(await during(() => gate.authenticate("not a token"))).toBe(1);
  });

  it("when it settles, extends, releases and reads", async () => {
    const { clock, during } = counting();
    const gate = one({ clock, counters: make() });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(await during(() => gate.extend(reservation, { maxOutputTokens: 10 }))).toBe(1);
    expect(await during(() => gate.settle(reservation, { outputTokens: 10 }))).toBe(1);
    const other = passed(await gate.admit(KEY, CALL)).reservation;
    expect(await during(() => gate.release(other))).toBe(1);
    expect(await during(() => gate.usage({ orgId: "o1", keyId: "k1" }))).toBe(1);
  });

  it("when it settles a call that another model answered", async () => {
    const { clock, during } = counting();
    const gate = one({ clock, counters: make() });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const actual = { model: "gpt-4o-mini", outputTokens: 10 };
    expect(await during(() => gate.settle(reservation, actual))).toBe(1);
  });

  it("so that a call on the last millisecond of a month is in that month in every respect", async () => {
    const { clock, set } = counting(1);
    const gate = one({ clock, counters: make() });
    const end = Date.UTC(2026, 5, 1);
    set(end - 2);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(reservation.reservedAt).toBe(end - 1);
    const periods = reservation.charges.periods.flatMap((period) => (period ? [period.endsAt] : []));
    expect(periods).toEqual(Array(8).fill(end));
  });

  it("so that a key that ends at midnight is over in the same instant in which the new day's budget begins", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { clock, set } = counting(1);
    const chain = aChain({
      key: { expiresAt: midnight, limits: { budget: { usd: 1, reset: "daily" } } },
    });
    const gate = one({ clock, counters: make() }, chain);
    const call = { model: "gpt-4o", costUsd: 1 };
    set(midnight - 3);
    passed(await gate.admit(KEY, call));
    expect(refusedBy(await gate.admit(KEY, call)).reason).toBe("budget_exceeded");
    expect(refusedBy(await gate.admit(KEY, call)).reason).toBe("key_expired");
  });
});
