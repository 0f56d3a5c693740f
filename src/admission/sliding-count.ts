import type { Charge } from "./charge.js";
import type { Count, Part } from "./count.js";

/**
 * A window of length W is cut into this many sub-buckets. The count is the current one and this many before it, so it
 * covers at least W and at most W plus one sub-bucket: it may admit up to 1/60 of a window late, never early.
 */
export const SUB_BUCKETS = 60;

/**
 * A sliding count with a running total.
 *
 * INVARIANT: in every half-open interval of length W, the sum over the admissions in it of min(estimate, actual) is at
 * most the max. Such an interval touches at most the bucket of its last admission and the 60 before it, and that
 * admission was checked against all of them.
 *
 * Only buckets with something in them are kept: of a million keys, most call now and then and have one or two.
 */
export class SlidingCount implements Count {
  readonly #widthMs: number;
  #total = 0;
  /** Bucket number and amount in turn, oldest first. */
  readonly #buckets: number[] = [];

  /** @param lengthMs length of the window in milliseconds, a multiple of 60 */
  constructor(lengthMs: number) {
    this.#widthMs = lengthMs / SUB_BUCKETS;
  }

  used(now: number): number {
    const oldest = this.#bucket(now) - SUB_BUCKETS;
    let used = this.#total;
    for (let i = 0; i < this.#buckets.length && this.#at(i) < oldest; i += 2) used -= this.#at(i + 1);
    return used;
  }

  fitsAt({ amount, limit: { max } }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    if (this.used(now) + amount <= max) return Number.NEGATIVE_INFINITY;
    let used = this.#total;
    for (let i = 0; i < this.#buckets.length; i += 2) {
      used -= this.#at(i + 1);
      // Buckets that are counted no more end in the past and only lower `used`; it cannot fit at one of them.
      if (used + amount <= max) return this.#endOf(this.#at(i));
    }
    throw new Error("a sliding count holds more than its buckets");
  }

  emptyAt(): number {
    return this.#buckets.length === 0
      ? Number.NEGATIVE_INFINITY
      : this.#endOf(this.#at(this.#buckets.length - 2));
  }

  add(amount: number, { at }: Part): void {
    if (amount === 0) return;
    this.#drop(at);
    const bucket = this.#bucket(at);
    const last = this.#buckets.length - 2;
    if (last >= 0 && this.#at(last) === bucket) this.#buckets[last + 1] = this.#at(last + 1) + amount;
    else this.#buckets.push(bucket, amount);
    this.#total += amount;
  }

  /** A surcharge goes to the bucket of `now`, a refund to the bucket it was charged to while that lives, else nowhere. */
  correct(delta: number, part: Part, now: number): void {
    if (delta > 0) this.add(delta, { at: now, expiresAt: part.expiresAt });
    else if (delta < 0) this.#refund(-delta, part.at, now);
  }

  idle(now: number): boolean {
    return this.used(now) === 0;
  }

  dump(): readonly number[] {
    return [this.#total, ...this.#buckets];
  }

  #refund(amount: number, at: number, now: number): void {
    this.#drop(now);
    const bucket = this.#bucket(at);
    for (let i = this.#buckets.length - 2; i >= 0 && this.#at(i) >= bucket; i -= 2) {
      if (this.#at(i) !== bucket) continue;
      const left = this.#at(i + 1) - amount;
      if (left === 0) this.#buckets.splice(i, 2);
      else this.#buckets[i + 1] = left;
      this.#total -= amount;
    }
  }

  #at(i: number): number {
    return this.#buckets[i] as number; // sound: every caller keeps i below the length
  }

  #bucket(at: number): number {
    return Math.floor(at / this.#widthMs);
  }

  /** The first moment at which a bucket is counted no more. */
  #endOf(bucket: number): number {
    return endOf(bucket, this.#widthMs);
  }

  #drop(now: number): void {
    const oldest = this.#bucket(now) - SUB_BUCKETS;
    let dead = 0;
    while (dead < this.#buckets.length && this.#at(dead) < oldest) {
      this.#total -= this.#at(dead + 1);
      dead += 2;
    }
    if (dead > 0) this.#buckets.splice(0, dead);
  }
}

/** The moment at which a count of this window is zero by itself, when something was counted at `now`. */
export function emptyAfter(lengthMs: number, now: number): number {
  const widthMs = lengthMs / SUB_BUCKETS;
  return endOf(Math.floor(now / widthMs), widthMs);
}

function endOf(bucket: number, widthMs: number): number {
  return (bucket + SUB_BUCKETS + 1) * widthMs;
}
