import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCount } from "../../src/admission/count.js";
import { restoreCount, type SavedCount, saveCount } from "../../src/admission/saved-count.js";
import { charge, limitOf, START } from "../counters/limits.js";

const HOUR = 3_600_000;

const limits = [
  limitOf({ tpm: 50 }),
  limitOf({ tpd: 50 }),
  limitOf({ inFlight: 5 }),
  limitOf({ budget: { usd: "0.00000005", reset: "daily" } }),
  limitOf({ budget: { usd: "0.00000005", reset: "never" } }),
];

const step = fc.record({
  after: fc.oneof(fc.nat(5_000), fc.nat(90_000), fc.nat(30 * HOUR)),
  amount: fc.nat(8),
  settle: fc.boolean(),
  ttlMs: fc.constantFrom(HOUR, 40 * HOUR),
  actual: fc.nat(16),
});

describe("a count that was saved and restored", () => {
  it.each(limits.map((limit) => [limit.field, limit] as const))(
    "%s answers every question as the one that was saved",
    (_, limit) => {
      const run = (
        steps: (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
        laters: readonly number[],
      ) => {
        const count = createCount(limit.window);
        let now = START;
        for (const { after, amount, settle, actual, ttlMs } of steps) {
          now += after;
          const part = { at: now, expiresAt: now + ttlMs };
          const { period } = charge(limit, amount, now);
          count.add(amount, part, period);
          if (settle) count.correct(actual - amount, part, now, period);
        }
        const saved: SavedCount = JSON.parse(JSON.stringify(saveCount(limit, count)));
        const restored = restoreCount(saved);
        for (const later of [0, ...laters]) {
          const asked = charge(limit, 7, now + later);
          const answers = [count, restored].map((one) => [
            one.dump(),
            one.used(now + later, asked.period),
            one.fitsAt(asked, now + later),
            one.emptyAt(now + later, asked.period),
            one.idle(now + later),
          ]);
          expect(answers[1]).toEqual(answers[0]);
        }
      };
      const later = fc.oneof(fc.nat(90_000), fc.nat(60 * HOUR));
      fc.assert(fc.property(fc.array(step, { maxLength: 30 }), fc.array(later, { maxLength: 8 }), run));
    },
  );
});
