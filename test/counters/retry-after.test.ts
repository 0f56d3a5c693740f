import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Charge } from "../../src/admission/charge.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Limits } from "../../src/model/limits.js";
import { charge, clockStep, limitsAt, START } from "./limits.js";

const LIMITS: Limits = {
  rpm: 6,
  tpm: 40,
  rpd: 12,
  inFlight: 4,
  budget: [
    { usd: "0.000000060", reset: "daily" },
    { usd: "0.000000090", reset: "monthly" },
  ],
};

const AMOUNTS = { requests: 1, inFlight: 1 } as const;

/** The same once somebody has tightened them: more may be used then than there is room for. */
const TIGHTER: Limits = { ...LIMITS, rpm: 3, tpm: 20, inFlight: 2 };

/** The charges of a call of `tokens` tokens that costs as many nano-USD. */
function callAt(tokens: number, now: number, project = LIMITS): Charge[] {
  const limits = [...limitsAt("project", project), ...limitsAt("key", { rpm: 4, tpm: 30 })];
  return limits.map((limit) => {
    const amount = limit.meter === "requests" || limit.meter === "inFlight" ? AMOUNTS[limit.meter] : tokens;
    return charge(limit, amount, now);
  });
}

const trace = fc.array(
  fc.record({
    step: clockStep,
    tokens: fc.nat(45),
    settleAs: fc.option(fc.nat(60)),
    ttlMs: fc.integer({ min: 1, max: 200_000 }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe("retryAfter", () => {
  it("is exact on both sides: one millisecond earlier the call is refused, at it the same call passes", async () => {
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(
        trace,
        fc.integer({ min: 1, max: 45 }),
        fc.boolean(),
        async (steps, tokens, isTightened) => {
          const counters = memoryCounters();
          let now = START;
          // Periods are those of a clock that does not go back over a reset: behind one, a budget may be spent already.
          let clock = START;
          let project = LIMITS;
          const call = (tokens: number, at: number) => callAt(tokens, Math.max(clock, at), project);
          for (const [i, { step, tokens: amount, settleAs, ttlMs }] of steps.entries()) {
            now += step;
            clock = Math.max(clock, now);
            const charges = call(amount, now);
            const outcome = await counters.reserve({ id: `r${i}`, orgId: "o1", now, ttlMs, charges });
            if (outcome.outcome !== "reserved" || settleAs === null) continue;
            const amounts = call(settleAs, now).map((one) =>
              one.limit.meter === "inFlight" ? { ...one, amount: 0 } : one,
            );
            await counters.settle({ id: `r${i}`, orgId: "o1", now: now + 5, amounts });
          }
          if (isTightened) project = TIGHTER;
          const readings = await counters.read({ orgId: "o1", now, charges: call(tokens, now) });
          const waitMs = Math.max(...readings.map((reading) => reading.waitMs));
          if (waitMs === 0) {
            const passes = await counters.reserve({
              id: "x",
              orgId: "o1",
              now,
              ttlMs: 1,
              charges: call(tokens, now),
            });
            expect(passes.outcome).toBe("reserved");
            return;
          }
          refusals++;
          if (!Number.isFinite(waitMs)) {
            const far = now + 400 * 86_400_000;
            const never = await counters.reserve({
              id: "x",
              orgId: "o1",
              now: far,
              ttlMs: 1,
              charges: call(tokens, far),
            });
            expect(never.outcome).toBe("refused");
            return;
          }
          const before = now + waitMs - 1;
          const early = await counters.reserve({
            id: "x",
            orgId: "o1",
            now: before,
            ttlMs: 1,
            charges: call(tokens, before),
          });
          expect(early.outcome).toBe("refused");
          const then = now + waitMs;
          const exact = await counters.reserve({
            id: "x",
            orgId: "o1",
            now: then,
            ttlMs: 1,
            charges: call(tokens, then),
          });
          expect(exact.outcome).toBe("reserved");
        },
      ),
      { numRuns: 1_500 },
    );
    expect(refusals).toBeGreaterThan(100);
  });

  it("is exact where the org moves from one time zone to another, back over a date or two", async () => {
    const budget: Limits["budget"] = [
      { usd: "0.000000060", reset: "daily" },
      { usd: "0.000000200", reset: "monthly" },
    ];
    const zones = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/Los_Angeles", "Asia/Tokyo"] as const;
    const move = fc.record({
      hours: fc.oneof(fc.nat({ max: 6 }), fc.nat({ max: 30 })),
      zone: fc.constantFrom(...zones),
      cost: fc.integer({ min: 20, max: 60 }),
    });
    let overSpentPeriods = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(move, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 1, max: 60 }),
        async (moves, cost) => {
          const counters = memoryCounters();
          let now = START;
          let zone: string = "UTC";
          const reserve = (id: string, cost: number, at: number) => {
            const charges = limitsAt("org", { budget }, "o1", zone).map((limit) => charge(limit, cost, at));
            return counters.reserve({ id, orgId: "o1", now: at, ttlMs: 1, charges });
          };
          for (const [i, step] of moves.entries()) {
            now += step.hours * 3_600_000;
            zone = step.zone;
            await reserve(`r${i}`, step.cost, now);
          }
          const outcome = await reserve("x", cost, now);
          if (outcome.outcome !== "refused") return;
          const waitMs = Math.max(...outcome.readings.map((reading) => reading.waitMs));
          if (waitMs > Math.max(...outcome.readings.map(({ waitMs, resetMs }) => (waitMs > 0 ? resetMs : 0))))
            overSpentPeriods++;
          expect((await reserve("x", cost, now + waitMs - 1)).outcome).toBe("refused");
          expect((await reserve("x", cost, now + waitMs)).outcome).toBe("reserved");
        },
      ),
      { numRuns: 1_000 },
    );
    expect(overSpentPeriods).toBeGreaterThan(20);
  });
});
