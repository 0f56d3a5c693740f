import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type Count, createCount } from "../../src/admission/count.js";
import type { Period } from "../../src/admission/period.js";
import { limitOf } from "../counters/limits.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const [MIN, MAX] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

const day = (index: number): Period => ({ index, startsAt: index * DAY, endsAt: (index + 1) * DAY });
const partOn = (index: number) => ({ at: index * DAY, expiresAt: index * DAY + HOUR });
const limit = limitOf({ budget: { usd: "0.00000001", reset: "daily" } });

/** A count with so much on each of the days, in their order. */
function counted(...days: readonly (readonly [index: number, amount: number])[]): Count {
  const count = createCount(limit.window);
  for (const [index, amount] of days) count.add(amount, partOn(index), day(index));
  return count;
}

const used = (count: Count, ...days: readonly number[]) => days.map((index) => count.used(0, day(index)));

describe("a calendar count", () => {
  it("begins each period at zero, and keeps the one before it", () => {
    const count = counted([3, 5], [3, 1]);
    expect(used(count, 3, 4)).toEqual([6, 0]);
    expect(count.add(2, partOn(4), day(4))).toBe(2);
    expect(used(count, 3, 4, 5)).toEqual([6, 2, 0]);
    count.add(1, partOn(9), day(9));
    expect(used(count, 4, 9, 10)).toEqual([2, 1, 0]);
  });

  it("begins a period between the two that it keeps at zero too, and keeps it in place of the earlier one", () => {
    const count = counted([3, 5], [9, 2]);
    expect(used(count, 3, 4, 8, 9)).toEqual([5, 0, 0, 2]);
    expect(count.correct(-1, partOn(6), 0, day(6))).toBe(0);
    expect(count.add(4, partOn(6), day(6))).toBe(4);
    expect(used(count, 5, 6, 7, 9)).toEqual([2, 4, 0, 2]);
    expect(count.correct(3, partOn(7), 0, day(7))).toBe(3);
    expect(count.dump()).toEqual([9, 2, 7, 3, 10 * DAY]);
    const first = counted([9, 2]);
    expect(first.add(4, partOn(6), day(6))).toBe(4);
    expect(used(first, 6, 9)).toEqual([4, 2]);
  });

  it("counts nothing before its first charge", () => {
    expect(used(counted(), 0, 3)).toEqual([0, 0]);
    expect(counted().idle(MIN)).toBe(true);
    expect(counted().dump()).toEqual([null, 0, null, 0, null]);
  });

  it("counts a charge of the period before where that is kept, and of an older one in the current", () => {
    const count = counted([3, 5], [4, 2]);
    expect(count.add(10, partOn(3), day(3))).toBe(15);
    expect(used(count, 3, 4)).toEqual([15, 2]);
    expect(count.add(10, partOn(2), day(2))).toBe(12);
    expect(used(count, 2, 3, 4)).toEqual([12, 15, 12]);
  });

  it("corrects the period that was charged while it is kept, and an older one not at all", () => {
    const count = counted([3, 5], [4, 2]);
    expect(count.correct(-2, partOn(4), 0, day(4))).toBe(0);
    expect(count.correct(-3, partOn(3), 0, day(3))).toBe(2);
    expect(count.correct(4, partOn(3), 0, day(3))).toBe(6);
    expect(count.correct(7, partOn(2), 0, day(2))).toBe(0);
    expect(used(count, 3, 4)).toEqual([6, 0]);
  });

  it("charges a surcharge of a period that it has not counted yet, and gives nothing back in one", () => {
    const count = counted([3, 5]);
    expect(count.correct(-1, partOn(4), 0, day(4))).toBe(0);
    expect(count.correct(0, partOn(4), 0, day(4))).toBe(0);
    expect(count.dump()).toEqual([3, 5, null, 0, 4 * DAY]);
    expect(count.correct(2, partOn(4), 0, day(4))).toBe(2);
    expect(count.dump()).toEqual([4, 2, 3, 5, 5 * DAY]);
    const empty = counted();
    expect(empty.correct(-1, partOn(4), 0, day(4))).toBe(0);
    expect(empty.dump()).toEqual([null, 0, null, 0, null]);
    expect(empty.correct(2, partOn(4), 0, day(4))).toBe(2);
  });

  it("gives back no more than was counted in a period, which need not be the one that was charged", () => {
    const count = counted([3, 5], [4, 2]);
    expect(count.correct(-9, partOn(3), 0, day(3))).toBe(0);
    expect(count.correct(-9, partOn(4), 0, day(4))).toBe(0);
    expect(used(count, 3, 4)).toEqual([0, 0]);
  });

  it("has room up to the max, else at the end of the period, and never for what is above the max alone", () => {
    const count = counted([3, 4]);
    const fitsAt = (amount: number, index: number) => count.fitsAt({ limit, amount, period: day(index) }, 0);
    expect([6, 7, 10, 11].map((amount) => fitsAt(amount, 3))).toEqual([MIN, 4 * DAY, 4 * DAY, MAX]);
    expect([10, 11].map((amount) => fitsAt(amount, 4))).toEqual([MIN, MAX]);
    expect(count.emptyAt(0, day(3))).toBe(4 * DAY);
  });

  it("of a period before the current one has room in the first later one that has, by what is used of each", () => {
    const fits = (count: Count, amount: number, index: number) =>
      count.fitsAt({ limit, amount, period: day(index) }, 0);
    const apart = counted([3, 4], [5, 7]);
    expect([6, 7, 10].map((amount) => fits(apart, amount, 3))).toEqual([MIN, 4 * DAY, 4 * DAY]);
    expect([3, 4, 6, 7].map((amount) => fits(apart, amount, 2))).toEqual([MIN, 3 * DAY, 3 * DAY, 4 * DAY]);
    expect([10, 11].map((amount) => fits(apart, amount, 4))).toEqual([MIN, MAX]);
    const inTurn = counted([3, 4], [4, 7]);
    expect([6, 7, 10].map((amount) => fits(inTurn, amount, 3))).toEqual([MIN, 5 * DAY, 5 * DAY]);
    expect([3, 4, 6, 7].map((amount) => fits(inTurn, amount, 2))).toEqual([MIN, 3 * DAY, 3 * DAY, 5 * DAY]);
    expect(counted([3, 9], [4, 2]).fitsAt({ limit, amount: 8, period: day(3) }, 0)).toBe(4 * DAY);
  });

  it("looks a month ahead for a period with room, and no further where a wrong clock has counted", () => {
    const count = counted([5_000, 2], [5_001, 10]);
    expect(count.fitsAt({ limit, amount: 7, period: day(3) }, 0)).toBe((3 + 32) * DAY);
  });

  it("may be forgotten 26 hours after its period, when no zone has that date any more", () => {
    const count = counted([3, 4]);
    expect(count.idle(4 * DAY + 26 * HOUR - 1)).toBe(false);
    expect(count.idle(4 * DAY + 26 * HOUR)).toBe(true);
  });

  it("is kept as long as a reservation of the period may be extended, where that is longer", () => {
    const count = createCount(limit.window);
    count.add(4, { at: 3 * DAY, expiresAt: 6 * DAY }, day(3));
    expect(count.idle(4 * DAY + 3 * DAY - 1)).toBe(false);
    expect(count.idle(4 * DAY + 3 * DAY)).toBe(true);
  });

  it("is asked with a period", () => {
    expect(() => counted([3, 4]).used(0, undefined)).toThrow(
      "a charge against a calendar limit has a period",
    );
  });

  test("law: charges add up in their period, whatever clock they are by, unless two later periods were charged before", () => {
    const charges = fc.array(fc.tuple(fc.integer({ min: -4, max: 8 }), fc.nat(9)), { maxLength: 40 });
    fc.assert(
      fc.property(charges, (list) => {
        const count = createCount(limit.window);
        const sums = new Map<number, number>();
        const laterThan = (index: number) => [...sums.keys()].filter((one) => one > index);
        for (const [index, amount] of list) {
          if (laterThan(index).length > 1) continue;
          expect(count.used(0, day(index))).toBe(sums.get(index) ?? 0);
          sums.set(index, (sums.get(index) ?? 0) + amount);
          expect(count.add(amount, partOn(index), day(index))).toBe(sums.get(index));
        }
      }),
    );
  });

  test("law: charges in the order of their periods add up in each, for the last two of them", () => {
    const charges = fc.array(fc.tuple(fc.constantFrom(0, 0, 0, 1, 2), fc.nat(9)), { minLength: 1 });
    fc.assert(
      fc.property(charges, (list) => {
        const count = createCount(limit.window);
        const sums = new Map<number, number>();
        let index = 100;
        for (const [later, amount] of list) {
          index += later;
          sums.set(index, (sums.get(index) ?? 0) + amount);
          expect(count.add(amount, partOn(index), day(index))).toBe(sums.get(index));
        }
        for (const [known, sum] of [...sums].slice(-2)) expect(count.used(0, day(known))).toBe(sum);
      }),
    );
  });
});
