import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryCounters } from "../../src/counters/memory.js";
import { charge, clockStep, limitOf, START } from "./limits.js";

const WINDOW_MS = 60_000;

type Step =
  | { do: "reserve"; step: number; amount: number }
  | { do: "extend"; step: number; pick: number; amount: number }
  | { do: "settle"; step: number; pick: number; actual: number };

/** Small maxima, so that they are reached; amounts from 0 to the max and above. */
const trace = fc.integer({ min: 1, max: 40 }).chain((max) =>
  fc.record({
    max: fc.constant(max),
    steps: fc.array(
      fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({ do: fc.constant("reserve" as const), step: clockStep, amount: fc.nat(max) }),
        },
        {
          // Small ones, so that a reservation is extended several times.
          weight: 3,
          arbitrary: fc.record({
            do: fc.constant("extend" as const),
            step: clockStep,
            pick: fc.nat(),
            amount: fc.nat(Math.ceil(max / 3)),
          }),
        },
        {
          weight: 3,
          arbitrary: fc.record({
            do: fc.constant("settle" as const),
            step: clockStep,
            pick: fc.nat(),
            actual: fc.nat(2 * max),
          }),
        },
      ),
      { maxLength: 60 },
    ),
  }),
);

/** One admitted part of a reservation: charged at once, corrected when it is settled. */
interface Part {
  readonly at: number;
  readonly estimate: number;
  actual: number;
}

/** Runs a trace and keeps an exact log of what was admitted when, and what it came to. */
async function run({ max, steps }: { max: number; steps: readonly Step[] }) {
  const counters = memoryCounters();
  const limit = limitOf({ tpm: max });
  const log: Part[] = [];
  const open: { id: string; parts: Part[] }[] = [];
  let now = START;
  let clock = Number.NEGATIVE_INFINITY;
  for (const [i, step] of steps.entries()) {
    now += step.step;
    // The counters' clock: the latest moment that they were told.
    const tick = () => {
      clock = Math.max(clock, now);
    };
    const orgId = "o1";
    if (step.do === "settle") {
      const [reservation] = open.splice(step.pick % Math.max(1, open.length), 1);
      if (!reservation) continue;
      tick();
      const amounts = [charge(limit, step.actual, now)];
      expect(await counters.settle({ id: reservation.id, orgId, now, amounts })).toMatchObject({
        outcome: "settled",
      });
      let left = step.actual;
      for (const part of reservation.parts) {
        part.actual = Math.min(left, part.estimate);
        left -= part.actual;
      }
      continue;
    }
    const reservation =
      step.do === "extend" ? open[step.pick % Math.max(1, open.length)] : { id: `r${i}`, parts: [] };
    if (!reservation) continue;
    tick();
    const charges = [charge(limit, step.amount, now)];
    const extend = step.do === "extend";
    const outcome = await counters.reserve({
      id: reservation.id,
      orgId,
      now,
      ttlMs: 3_600_000,
      charges,
      extend,
    });
    if (outcome.outcome !== "reserved") continue;
    const part = { at: clock, estimate: step.amount, actual: step.amount };
    log.push(part);
    reservation.parts.push(part);
    if (!extend) open.push(reservation);
  }
  return { log, counters, limit, now, clock };
}

describe("a sliding window", () => {
  it("in every half-open interval of its length admits at most the max of min(estimate, actual)", async () => {
    await fc.assert(
      fc.asyncProperty(trace, async (input) => {
        const { log } = await run(input);
        // A sum over an interval is largest where it begins or ends with an admission.
        for (const { at: end } of log) {
          const inside = log.filter(({ at }) => at > end - WINDOW_MS && at <= end);
          const sum = inside.reduce((total, { estimate, actual }) => total + Math.min(estimate, actual), 0);
          expect(sum).toBeLessThanOrEqual(input.max);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("counts nothing longer than its length and one sub-bucket", async () => {
    await fc.assert(
      fc.asyncProperty(trace, async (input) => {
        const { counters, limit, now, clock } = await run(input);
        const later = Math.max(now, clock) + WINDOW_MS + WINDOW_MS / 60;
        const [reading] = await counters.read({
          orgId: "o1",
          now: later,
          charges: [charge(limit, 1, later)],
        });
        expect(reading?.used).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps a running total equal to the sum of its buckets", async () => {
    await fc.assert(
      fc.asyncProperty(trace, async (input) => {
        const { counters } = await run(input);
        for (const scope of Object.values(counters.dump())) {
          for (const [total, ...buckets] of Object.values(scope)) {
            const amounts = buckets.filter((_, i) => i % 2 === 1);
            expect(total).toBe(amounts.reduce<number>((sum, amount) => sum + (amount ?? 0), 0));
            expect(amounts.every((amount) => (amount ?? 0) > 0)).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives a refund to the bucket it was charged to, and a surcharge to the bucket of the settle", async () => {
    const counters = memoryCounters();
    const limit = limitOf({ tpm: 100 });
    const at = (now: number, amount: number) => ({ orgId: "o1", now, charges: [charge(limit, amount, now)] });
    await counters.reserve({ id: "a", ttlMs: 3_600_000, ...at(START, 60) });
    await counters.reserve({ id: "b", ttlMs: 3_600_000, ...at(START + 30_000, 30) });
    await counters.settle({ id: "a", orgId: "o1", now: START + 40_000, amounts: [charge(limit, 10, START)] });
    await counters.settle({ id: "b", orgId: "o1", now: START + 50_000, amounts: [charge(limit, 95, START)] });
    const used = async (now: number) => (await counters.read(at(now, 0)))[0]?.used;
    expect(await used(START + 50_000)).toBe(105);
    expect(await used(START + 61_000)).toBe(95); // the 10 of a are over
    expect(await used(START + 91_000)).toBe(65); // the 30 of b are over
    expect(await used(START + 111_000)).toBe(0); // the surcharge of b lived from the settle on
  });

  it("with a settle long after its window refunds to nowhere", async () => {
    const counters = memoryCounters();
    const limit = limitOf({ tpm: 100 });
    const charges = [charge(limit, 80, START)];
    await counters.reserve({ id: "a", orgId: "o1", now: START, ttlMs: 3_600_000, charges });
    const later = START + 120_000;
    await counters.reserve({ id: "b", orgId: "o1", now: later, ttlMs: 3_600_000, charges });
    await counters.settle({ id: "a", orgId: "o1", now: later, amounts: [charge(limit, 0, later)] });
    expect(await counters.read({ orgId: "o1", now: later, charges })).toMatchObject([{ used: 80 }]);
  });
});
