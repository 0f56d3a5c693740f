import type { Charge } from "./charge.js";
import type { Count, Part } from "./count.js";

/**
 * A window of length W is cut into this many sub-buckets. The count is the current one and this many before it, so it
 * covers at least W and at most W plus one sub-bucket: it may admit up to 1/60 of a window late, never early.
 */
export const SUB_BUCKETS = 60;

/** Below every bucket number. A small integer, so that the fields that hold bucket numbers are never doubles. */
const NONE = -1_000_000_000;

/** Up to so many older buckets an array grows by exactly what is added: a million keys have one or two each. */
const EXACT_GROWTH_MAX = 8;

/**
 * A sliding count with a running total.
 *
 * INVARIANT: in every half-open interval of length W, the sum over the admissions in it of min(estimate, actual) is at
 * most the max. Such an interval touches at most the bucket of its last admission and the 60 before it, and that
 * admission was checked against all of them.
 *
 * Only buckets with something in them are kept, and the newest, which nearly every call is about, outside the array.
 */
export class SlidingCount implements Count {
  readonly field: string;
  readonly #widthMs: number;
  #total = 0;
  #oldest = NONE;
  #newest = NONE;
  #newestAmount = 0;
  /** Bucket number and amount in turn, oldest first: all but the newest. */
  #older: number[] | undefined;

  /** @param lengthMs length of the window in milliseconds, a multiple of 60 */
  constructor(field: string, lengthMs: number) {
    this.field = field;
    this.#widthMs = lengthMs / SUB_BUCKETS;
  }

  used(now: number): number {
    const first = this.#firstAt(now);
    if (this.#oldest >= first) return this.#total;
    if (this.#newest < first) return 0;
    let used = this.#total;
    const older = this.#older ?? [];
    for (let i = 0; i < older.length && at(older, i) < first; i += 2) used -= at(older, i + 1);
    return used;
  }

  fitsAt({ amount, limit: { max } }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    if (this.used(now) + amount <= max) return Number.NEGATIVE_INFINITY;
    let used = this.#total;
    const older = this.#older ?? [];
    for (let i = 0; i < older.length; i += 2) {
      used -= at(older, i + 1);
      // Buckets that are counted no more end in the past and only lower `used`; it cannot fit at one of them.
      if (used + amount <= max) return endOf(at(older, i), this.#widthMs);
    }
    return endOf(this.#newest, this.#widthMs);
  }

  emptyAt(now: number): number {
    if (this.used(now) === 0) return Number.NEGATIVE_INFINITY;
    const newest = this.#newestAmount > 0 ? this.#newest : (this.#older?.at(-2) ?? this.#newest);
    return endOf(newest, this.#widthMs);
  }

  add(amount: number, part: Part): number {
    this.#drop(this.#firstAt(part.at));
    if (amount === 0) return this.#total;
    const bucket = Math.floor(part.at / this.#widthMs);
    if (bucket === this.#newest) this.#newestAmount += amount;
    else this.#begin(bucket, amount);
    this.#total += amount;
    return this.#total;
  }

  /** A surcharge goes to the bucket of `now`, a refund to the bucket it was charged to while that lives, else nowhere. */
  correct(delta: number, part: Part, now: number): number {
    if (delta > 0) return this.add(delta, { at: now, expiresAt: part.expiresAt });
    const first = this.#firstAt(now);
    this.#drop(first);
    const bucket = Math.floor(part.at / this.#widthMs);
    if (delta < 0 && bucket >= first) this.#refund(-delta, bucket);
    return this.#total;
  }

  idle(now: number): boolean {
    return this.used(now) === 0;
  }

  dump(): readonly number[] {
    const newest = this.#newestAmount === 0 ? [] : [this.#newest, this.#newestAmount];
    return [this.#total, ...(this.#older ?? []), ...newest];
  }

  /** The oldest bucket that still counts at `now`. */
  #firstAt(now: number): number {
    return Math.floor(now / this.#widthMs) - SUB_BUCKETS;
  }

  #begin(bucket: number, amount: number): void {
    if (this.#newestAmount > 0) {
      const older = this.#older ?? [];
      if (older.length < EXACT_GROWTH_MAX) this.#older = older.concat(this.#newest, this.#newestAmount);
      else older.push(this.#newest, this.#newestAmount);
    }
    this.#newest = bucket;
    this.#newestAmount = amount;
    this.#oldest = this.#older?.[0] ?? bucket;
  }

  #refund(amount: number, bucket: number): void {
    if (bucket === this.#newest) {
      this.#newestAmount -= amount;
      this.#total -= amount;
      return;
    }
    const older = this.#older ?? [];
    const i = older.findIndex((number, place) => place % 2 === 0 && number === bucket);
    if (i < 0) throw new Error("a refund is of what was charged, and its bucket is kept while it counts");
    this.#total -= amount;
    older[i + 1] = at(older, i + 1) - amount;
    if (older[i + 1] === 0) older.splice(i, 2);
    this.#oldest = older[0] ?? this.#newest;
  }

  /** Forgets every bucket before `first`. */
  #drop(first: number): void {
    if (this.#oldest >= first || this.#total === 0) return;
    const older = this.#older ?? [];
    let dead = 0;
    while (dead < older.length && at(older, dead) < first) {
      this.#total -= at(older, dead + 1);
      dead += 2;
    }
    older.splice(0, dead);
    if (this.#newest < first) {
      this.#total -= this.#newestAmount;
      this.#newestAmount = 0;
    }
    this.#oldest = older[0] ?? this.#newest;
  }
}

/** The moment at which a count of this window is zero by itself, when something was counted at `now`. */
export function emptyAfter(lengthMs: number, now: number): number {
  const widthMs = lengthMs / SUB_BUCKETS;
  return endOf(Math.floor(now / widthMs), widthMs);
}

/** The first moment at which a bucket is counted no more. */
function endOf(bucket: number, widthMs: number): number {
  return (bucket + SUB_BUCKETS + 1) * widthMs;
}

function at(buckets: readonly number[], i: number): number {
  return buckets[i] as number; // sound: every caller keeps i below the length
}
