import { describe, expect, it } from "vitest";
import { createCount } from "../../src/admission/count.js";
import { restoreCount, saveCount } from "../../src/admission/saved-count.js";
import type { Limits } from "../../src/model/limits.js";
import { limitOf } from "../counters/limits.js";

const [MIN, MAX] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

describe("a count of calls in flight", () => {
  const limit = limitOf({ inFlight: 3 });
  const counted = (...expiries: readonly number[]) => {
    const count = createCount(limit.window);
    for (const expiresAt of expiries) count.add(1, { at: 0, expiresAt });
    return count;
  };

  it("takes a slot until it is given back or its time is over", () => {
    const count = counted(30, 10);
    expect(count.add(1, { at: 5, expiresAt: 20 })).toBe(3);
    expect([0, 9, 10, 19, 20, 30].map((now) => count.used(now))).toEqual([3, 3, 2, 2, 1, 0]);
    expect(count.correct(-1, { at: 5, expiresAt: 20 }, 6)).toBe(2);
    expect(count.dump()).toEqual([10, 30]);
    expect([29, 30].map((now) => count.idle(now))).toEqual([false, true]);
  });

  it("gives back as many slots as it is told, those of that reservation alone", () => {
    const count = counted(10, 20, 20, 20, 30);
    expect(count.correct(-2, { at: 0, expiresAt: 20 }, 0)).toBe(3);
    expect(count.dump()).toEqual([10, 20, 30]);
    expect(count.correct(-2, { at: 0, expiresAt: 20 }, 0)).toBe(2);
    expect(count.correct(-1, { at: 0, expiresAt: 25 }, 0)).toBe(2);
    expect(count.correct(0, { at: 0, expiresAt: 30 }, 0)).toBe(2);
    expect(count.dump()).toEqual([10, 30]);
  });

  it("takes more slots with a surcharge, from the moment of the settle", () => {
    const count = counted(10, 20);
    expect(count.correct(2, { at: 0, expiresAt: 30 }, 15)).toBe(3);
    expect(count.dump()).toEqual([20, 30, 30]);
  });

  it("forgets what is over when another slot is taken, and not before", () => {
    const count = counted(10, 20);
    expect(count.used(10)).toBe(1);
    expect(count.dump()).toEqual([10, 20]);
    expect(count.add(0, { at: 10, expiresAt: 99 })).toBe(1);
    expect(count.dump()).toEqual([20]);
  });

  it("has room when as many slots are over as it takes", () => {
    const count = counted(10, 20, 30);
    const fitsAt = (amount: number, now = 0) => count.fitsAt({ limit, amount }, now);
    expect([0, 1, 2, 3, 4].map((amount) => fitsAt(amount))).toEqual([MIN, 10, 20, 30, MAX]);
    expect([0, 1, 2, 3].map((amount) => fitsAt(amount, 15))).toEqual([MIN, MIN, 20, 30]);
    expect(count.emptyAt(0)).toBe(MAX);
  });
});

describe("a count that never starts again", () => {
  it("has room up to the max, then never", () => {
    const limit = limitOf({ budget: { usd: "0.00000001", reset: "never" } });
    const count = createCount(limit.window);
    const part = { at: 0, expiresAt: 10 };
    expect(count.idle(0)).toBe(true);
    expect(count.add(4, part)).toBe(4);
    expect(count.add(3, part)).toBe(7);
    expect([3, 4].map((amount) => count.fitsAt({ limit, amount }, 0))).toEqual([MIN, MAX]);
    expect(count.correct(-2, part, 0)).toBe(5);
    expect(count.used(0)).toBe(5);
    expect(count.dump()).toEqual([5]);
    expect(count.idle(0)).toBe(false);
    expect(count.emptyAt(0)).toBe(MAX);
  });
});

describe("a count", () => {
  const all: readonly Limits[] = [
    { rpm: 1 },
    { rpd: 1 },
    { inFlight: 1 },
    { budget: { usd: 1, reset: "weekly" } },
    { budget: { usd: 1, reset: "never" } },
  ];

  it("is saved with the kind of its window, and the length of a sliding one", () => {
    const saved = all.map((limits) => saveCount(limitOf(limits), createCount(limitOf(limits).window)));
    expect(saved).toEqual([
      ["sliding", 60_000, [0]],
      ["sliding", 86_400_000, [0]],
      ["inFlight", 0, []],
      ["calendar", 0, [null, 0, null, 0, null]],
      ["lifetime", 0, [0]],
    ]);
  });

  it("is not restored from what holds no numbers", () => {
    const message = "a saved count holds a number here";
    expect(() => restoreCount(["lifetime", 0, [null]])).toThrow(message);
    expect(() => restoreCount(["lifetime", 0, []])).toThrow(message);
    expect(() => restoreCount(["sliding", 60_000, [5, 1]])).toThrow(message);
    expect(() => restoreCount(["inFlight", 0, [null]])).toThrow(message);
  });

  it("of a calendar is restored with both of its periods, though the one before is all that counted", () => {
    const dump = [7, 0, 6, 5, 99] as const;
    expect(restoreCount(["calendar", 0, dump]).dump()).toEqual(dump);
    expect(restoreCount(["calendar", 0, [7, 3, null, 0, 99]]).dump()).toEqual([7, 3, null, 0, 99]);
  });
});
