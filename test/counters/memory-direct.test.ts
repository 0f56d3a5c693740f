import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sideBySide } from "../../src/admission/charge.js";
import { LimitShape } from "../../src/admission/limit-shape.js";
import { Calendar } from "../../src/admission/period.js";
import { Plan } from "../../src/admission/plan.js";
import { type MemoryCounters, memoryCounters } from "../../src/counters/memory.js";
import { charge, clockStep, limitsAt, START } from "./limits.js";

const TTL = 120_000;
const limits = [
  ...limitsAt("org", { rpm: 60, tpm: 600, budget: { usd: 0.000_000_9, reset: "daily" } }),
  ...limitsAt("key", {
    tpd: 900,
    inFlight: 60,
    budget: { usd: 0.000_000_5, reset: "never" },
    mode: "shadow",
  }),
];

function planOf(): Plan {
  return new Plan(true, undefined, limits, new LimitShape(limits, new Calendar()));
}

const amounts = fc.tuple(
  ...limits.map(({ max }) =>
    fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: max / 10 }) }, fc.integer({ min: 0, max })),
  ),
);

const step = fc.record({
  skipMs: clockStep,
  amounts,
  /** Which of the open reservations to settle; above their number, none. */
  settle: fc.nat({ max: 5 }),
  actual: amounts,
});

/** Both counters side by side: one asked the short way where it answers, the other never. */
interface Pair {
  readonly short: MemoryCounters;
  readonly long: MemoryCounters;
  readonly plan: Plan;
}

function listOf(values: readonly number[], at: number) {
  return limits.map((limit, i) => charge(limit, values[i] ?? 0, at));
}

async function reserve({ short, long, plan }: Pair, id: string, now: number, values: readonly number[]) {
  const charges = listOf(values, now);
  const request = { id, orgId: "o1", now, ttlMs: TTL, charges };
  const direct = short.direct.reserve({ id, now, ttlMs: TTL, plan, charges: sideBySide(charges) });
  const expected = await long.reserve(request);
  if (direct === undefined) expect(await short.reserve(request)).toEqual(expected);
  else expect(expected).toMatchObject({ outcome: "reserved", shadow: undefined, ...direct });
  return { reserved: expected.outcome === "reserved", direct: direct !== undefined };
}

describe("the short way of counters in memory", () => {
  it("law: leaves every count and gives every answer as the ordinary way does", async () => {
    let direct = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const pair = { short: memoryCounters(), long: memoryCounters(), plan: planOf() };
        const open: { id: string; at: number }[] = [];
        let now = START;
        for (const [i, { skipMs, amounts, settle, actual }] of steps.entries()) {
          now += skipMs;
          const answer = await reserve(pair, `r${i}`, now, amounts);
          if (answer.reserved) open.push({ id: `r${i}`, at: now });
          if (answer.direct) direct++;
          const [ended] = open.splice(settle, 1);
          if (ended !== undefined) {
            const request = { id: ended.id, orgId: "o1", now, amounts: listOf(actual, ended.at) };
            const used = pair.short.direct.settle(ended.id, now, actual);
            const expected = await pair.long.settle(request);
            if (used === undefined) expect(await pair.short.settle(request)).toEqual(expected);
            else expect(expected).toEqual({ outcome: "settled", used });
          }
          expect(pair.short.dump()).toEqual(pair.long.dump());
        }
      }),
      { numRuns: 150 },
    );
    expect(direct).toBeGreaterThan(100);
  });

  it("is not gone where a limit is short, has counted nothing yet or is asked for nothing", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const ask = (id: string, values: readonly number[]) =>
      counters.direct.reserve({
        id,
        now: START,
        ttlMs: TTL,
        plan,
        charges: sideBySide(listOf(values, START)),
      });
    const one = limits.map(() => 1);
    expect(ask("first", one)).toBeUndefined();
    await counters.reserve({ id: "first", orgId: "o1", now: START, ttlMs: TTL, charges: listOf(one, START) });
    expect(ask("second", one)).toMatchObject({ used: limits.map(() => 2) });
    const before = counters.dump();
    expect(ask("zero", [0, 1, 1, 1, 1, 1])).toBeUndefined();
    expect(ask("large", [1, 1_000, 1, 1, 1, 1])).toBeUndefined();
    expect(counters.dump()).toEqual(before);
  });

  it("does not settle what was extended, is closed or was never made", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const one = limits.map(() => 1);
    const at = { orgId: "o1", now: START, ttlMs: TTL, charges: listOf(one, START) };
    await counters.reserve({ id: "first", ...at });
    counters.direct.reserve({ id: "a", now: START, ttlMs: TTL, plan, charges: sideBySide(at.charges) });
    expect(await counters.reserve({ id: "a", ...at, extend: true })).toMatchObject({ outcome: "reserved" });
    expect(counters.direct.settle("a", START, one)).toBeUndefined();
    expect(await counters.settle({ id: "a", orgId: "o1", now: START, amounts: at.charges })).toMatchObject({
      outcome: "settled",
    });
    expect(counters.direct.settle("a", START, one)).toBeUndefined();
    expect(counters.direct.settle("never", START, one)).toBeUndefined();
  });

  it("closes what it settles: a second settle answers already_settled", async () => {
    const counters = memoryCounters();
    const plan = planOf();
    const one = limits.map(() => 1);
    const charges = listOf(one, START);
    await counters.reserve({ id: "first", orgId: "o1", now: START, ttlMs: TTL, charges });
    counters.direct.reserve({ id: "a", now: START, ttlMs: TTL, plan, charges: sideBySide(charges) });
    expect(counters.direct.settle("a", START, one)).toEqual(limits.map(() => 2));
    const again = await counters.settle({ id: "a", orgId: "o1", now: START, amounts: charges });
    expect(again).toEqual({ outcome: "already_settled" });
  });

  it("is not gone for a settle after counts were forgotten: a surcharge is not lost", async () => {
    const counters = memoryCounters();
    const [limit] = limitsAt("key", { tpm: 100 });
    if (limit === undefined) throw new Error("one limit");
    const plan = new Plan(true, undefined, [limit], new LimitShape([limit], new Calendar()));
    const at = { orgId: "o1", ttlMs: 3_600_000 };
    await counters.reserve({ id: "first", ...at, now: START, charges: [charge(limit, 1, START)] });
    const charges = sideBySide([charge(limit, 10, START)]);
    expect(counters.direct.reserve({ id: "a", ...at, now: START, plan, charges })).toBeDefined();
    const later = START + 120_000;
    for (let i = 0; i < 4; i++) {
      const others = limitsAt("key", { tpm: 100 }, `other${i}`).map((other) => charge(other, 1, later));
      await counters.reserve({ id: `other${i}`, ...at, now: later, charges: others });
    }
    expect(Object.keys(counters.dump())).not.toContain(limit.scopeKey);
    expect(counters.direct.settle("a", later, [40])).toBeUndefined();
    await counters.settle({ id: "a", orgId: "o1", now: later, amounts: [charge(limit, 40, START)] });
    expect(
      await counters.read({ orgId: "o1", now: later, charges: [charge(limit, 0, later)] }),
    ).toMatchObject([{ used: 30 }]);
  });
});
