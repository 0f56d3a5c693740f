import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createCount } from "../../src/admission/count.js";
import { emptyAfter } from "../../src/admission/sliding-count.js";
import { limitOf } from "../counters/limits.js";

const MINUTE = 60_000;
const SECOND = 1_000;
const [MIN, MAX] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
const NOON = Date.UTC(2026, 4, 15, 12);

const limit = limitOf({ tpm: 20 });
const ask = (amount: number, max: number) => ({ limit: { ...limit, max }, amount });
const partAt = (at: number) => ({ at, expiresAt: at + 3_600_000 });

/** The specification: what each sub-bucket holds. Nothing is ever forgotten, it only counts no more. */
class Buckets {
  readonly #amounts = new Map<number, number>();

  add(amount: number, at: number) {
    const bucket = Math.floor(at / SECOND);
    this.#amounts.set(bucket, (this.#amounts.get(bucket) ?? 0) + amount);
  }

  /** Number and amount of each that counts at `now`, oldest first. */
  live(now: number): [number, number][] {
    const first = Math.floor(now / SECOND) - 60;
    const live = [...this.#amounts].filter(([bucket, amount]) => bucket >= first && amount > 0);
    return live.sort(([a], [b]) => a - b);
  }

  used(now: number): number {
    return this.live(now).reduce((sum, [, amount]) => sum + amount, 0);
  }

  /** The ends of the sub-buckets that count, each the first moment at which one of them does no more. */
  ends(now: number): number[] {
    return this.live(now).map(([bucket]) => (bucket + 61) * SECOND);
  }
}

const step = fc.record({
  afterMs: fc.oneof(
    fc.constantFrom(0, 0, 1, 999, 1_000, 60_000, 61_000),
    fc.nat(3_000),
    fc.nat(3_000),
    fc.nat(40_000),
  ),
  amount: fc.nat(9),
  /** Which of the parts so far is settled, and at what; above their number, none. */
  settle: fc.nat(12),
  actual: fc.nat(14),
});

describe("a sliding count", () => {
  test("law: it counts what the current sub-bucket and the 60 before it hold, and knows when they end", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), fc.nat(90_000), (steps, laterMs) => {
        const count = createCount({ kind: "sliding", lengthMs: MINUTE });
        const buckets = new Buckets();
        const open: { at: number; amount: number }[] = [];
        let now = NOON;
        const expectSame = () => {
          const answers = [now, now + laterMs, now + 60 * SECOND, now + 61 * SECOND].map((at) => {
            const [used, ends] = [buckets.used(at), buckets.ends(at)];
            const fits = (amount: number) => {
              if (amount > 20) return MAX;
              return used + amount <= 20 ? MIN : ends.find((end) => buckets.used(end) + amount <= 20);
            };
            return [
              [count.used(at), used],
              [count.idle(at), used === 0],
              [count.emptyAt(at), ends.at(-1) ?? MIN],
              ...[0, 1, 5, 20, 21].map((amount) => [count.fitsAt(ask(amount, 20), at), fits(amount)]),
            ];
          });
          expect(answers.flat().filter(([given, expected]) => given !== expected)).toEqual([]);
          expect(count.dump()).toEqual([buckets.used(now), ...buckets.live(now).flat()]);
        };
        for (const { afterMs, amount, settle, actual } of steps) {
          now += afterMs;
          buckets.add(amount, now);
          expect(count.add(amount, partAt(now))).toBe(buckets.used(now));
          expectSame();
          open.push({ at: now, amount });
          const [part] = open.splice(settle, 1);
          if (part === undefined) continue;
          now += afterMs;
          const delta = actual - part.amount;
          buckets.add(delta, delta > 0 ? now : part.at);
          expect(count.correct(delta, partAt(part.at), now)).toBe(buckets.used(now));
          expectSame();
        }
      }),
    );
  });

  it("counts an admission for its window and up to one sub-bucket more, and not a millisecond longer", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    count.add(7, partAt(NOON + 999));
    expect(count.used(NOON + 999 + MINUTE)).toBe(7);
    expect(count.used(NOON + 60_999)).toBe(7);
    expect(count.used(NOON + 61_000)).toBe(0);
    expect(count.emptyAt(NOON)).toBe(NOON + 61_000);
    expect(emptyAfter(MINUTE, NOON + 999)).toBe(NOON + 61_000);
  });

  it("says when the oldest that is in the way ends, not when all of it does", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const [i, amount] of [5, 4, 3].entries()) count.add(amount, partAt(NOON + i * 10_000));
    const fitsAt = (amount: number) => count.fitsAt(ask(amount, 12), NOON + 20_000);
    expect([0, 1, 5].map(fitsAt)).toEqual([MIN, NOON + 61_000, NOON + 61_000]);
    expect([6, 9].map(fitsAt)).toEqual([NOON + 71_000, NOON + 71_000]);
    expect([10, 12, 13].map(fitsAt)).toEqual([NOON + 81_000, NOON + 81_000, MAX]);
  });

  it("is empty when the newest that is left ends, where what came last was given back", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const at of [NOON, NOON + 5_000, NOON + 9_000]) count.add(5, partAt(at));
    expect(count.correct(-5, partAt(NOON + 9_000), NOON + 9_000)).toBe(10);
    expect(count.emptyAt(NOON + 9_000)).toBe(NOON + 66_000);
    expect(count.correct(-5, partAt(NOON), NOON + 9_000)).toBe(5);
    expect(count.dump()).toEqual([5, (NOON + 5_000) / SECOND, 5]);
    expect(count.correct(-5, partAt(NOON + 5_000), NOON + 9_000)).toBe(0);
    expect(count.dump()).toEqual([0]);
    expect(count.emptyAt(NOON + 9_000)).toBe(MIN);
  });

  it("counts the oldest sub-bucket of its window, and takes refunds to it, while those before it are over", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const at of [NOON, NOON + 30_000]) count.add(5, partAt(at));
    expect(count.used(NOON + 90_000)).toBe(5);
    expect(count.add(0, partAt(NOON + 90_000))).toBe(5);
    expect(count.correct(-2, partAt(NOON + 30_000), NOON + 90_000)).toBe(3);
    expect(count.used(NOON + 91_000)).toBe(0);
  });

  it("goes on to count less as time passes, after it forgot what was over", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const [i, amount] of [8, 4, 2].entries()) count.add(amount, partAt(NOON + i * 20_000));
    expect(count.add(0, partAt(NOON + 62_000))).toBe(6);
    expect(count.used(NOON + 81_000)).toBe(2);
    expect(count.add(1, partAt(NOON + 70_000))).toBe(7);
    expect([81, 101, 131].map((seconds) => count.used(NOON + seconds * SECOND))).toEqual([3, 1, 0]);
  });

  it("knows a sub-bucket from an amount that is the same number", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const [bucket, amount] of [
      [5, 7],
      [7, 3],
      [9, 1],
    ] as const)
      count.add(amount, partAt(bucket * SECOND));
    count.correct(-2, partAt(7 * SECOND), 9 * SECOND);
    expect(count.dump()).toEqual([9, 5, 7, 7, 1, 9, 1]);
  });

  it("takes a correction by nothing for a moment at which nothing was counted", () => {
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    count.add(5, partAt(NOON));
    expect(count.correct(0, partAt(NOON - 3_000), NOON)).toBe(5);
    expect(count.dump()).toEqual([5, NOON / SECOND, 5]);
  });

  it("refuses a refund of what it never counted, in words", () => {
    const message = "a refund is of what was charged, and its bucket is kept while it counts";
    const count = createCount({ kind: "sliding", lengthMs: MINUTE });
    for (const at of [NOON, NOON + 5_000]) {
      count.add(5, partAt(at));
      expect(() => count.correct(-1, partAt(NOON - 3_000), at)).toThrow(message);
    }
    expect(count.used(NOON + 5_000)).toBe(10);
  });

  it("of a day is cut into sub-buckets of 24 minutes", () => {
    const count = createCount({ kind: "sliding", lengthMs: 1_440 * MINUTE });
    count.add(5, partAt(NOON));
    expect(count.used(NOON + 1_464 * MINUTE - 1)).toBe(5);
    expect(count.used(NOON + 1_464 * MINUTE)).toBe(0);
  });
});
