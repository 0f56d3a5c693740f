import { addToLatest, Cell, type Cells, isLatest, NO_LIST, numberAt } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind, Part } from "./count-kind.js";

/**
 * A window of length W is cut into this many sub-buckets. The count is the current one and this many before it, so it
 * covers at least W and at most W plus one sub-bucket. It may admit up to 1/60 of a window late, but never early.
 */
export const SUB_BUCKETS = 60;

/** Below every bucket number. */
const NONE = Number.NEGATIVE_INFINITY;

/** Up to this many older buckets, a list grows by exactly what is added, since a million keys have one or two each. */
const EXACT_GROWTH_MAX = 8;

// After the numbers that all counts have:
/** Number of a bucket before which none is kept: of the oldest one kept, or of one before that. */
const OLDEST = 4;
/** The handle of the list of all buckets except the latest: number and amount in turn, oldest first. */
const OLDER = 5;

/**
 * Sliding counts with a running total.
 *
 * INVARIANT: in every half-open interval of length W, the sum over the admissions in it of min(estimate, actual) is at
 * most the max. Such an interval touches at most the bucket of its last admission and the 60 before it, and that
 * admission was checked against all of them.
 *
 * Only buckets with something in them are kept. The latest one, which nearly every call concerns, is outside the list.
 * When a bucket begins, those that no longer count are dropped, so while it is the current one, the total is what is
 * used.
 */
export class SlidingCounts implements CountKind {
  readonly empty = [NONE, NONE, 0, 0, NONE, 0];
  readonly #widthMs: number;

  /** @param lengthMs length of the window in milliseconds, a multiple of 60 */
  constructor(lengthMs: number) {
    this.#widthMs = lengthMs / SUB_BUCKETS;
  }

  used(cells: Cells, at: number, now: number): number {
    const { numbers } = cells;
    const first = this.#firstAt(now);
    if (numberAt(numbers, at + OLDEST) >= first) return numberAt(numbers, at + Cell.used);
    if (this.#latest(numbers, at) < first) return 0;
    let used = numberAt(numbers, at + Cell.used);
    const older = olderOf(cells, at);
    for (let i = 0; i < older.length && numberAt(older, i) < first; i += 2) used -= numberAt(older, i + 1);
    return used;
  }

  fitsAt(cells: Cells, at: number, { amount, limit: { max } }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    if (this.used(cells, at, now) + amount <= max) return Number.NEGATIVE_INFINITY;
    let used = numberAt(cells.numbers, at + Cell.used);
    const older = olderOf(cells, at);
    for (let i = 0; i < older.length; i += 2) {
      used -= numberAt(older, i + 1);
      // Buckets that no longer count end in the past and only lower `used`. The charge cannot fit at the end of one of
      // them.
      if (used + amount <= max) return endOf(numberAt(older, i), this.#widthMs);
    }
    return endOf(this.#latest(cells.numbers, at), this.#widthMs);
  }

  emptyAt(cells: Cells, at: number, now: number): number {
    if (this.used(cells, at, now) === 0) return Number.NEGATIVE_INFINITY;
    const latest = this.#latest(cells.numbers, at);
    const hasLatest = numberAt(cells.numbers, at + Cell.latest) > 0;
    return endOf(hasLatest ? latest : (olderOf(cells, at).at(-2) ?? latest), this.#widthMs);
  }

  add(cells: Cells, at: number, amount: number, part: Part): number {
    const { numbers } = cells;
    this.#drop(cells, at, this.#firstAt(part.at));
    if (amount === 0) return numberAt(numbers, at + Cell.used);
    if (!isLatest(numbers, at, undefined, part.at, part.at))
      this.#begin(cells, at, Math.floor(part.at / this.#widthMs));
    return addToLatest(numbers, at, amount);
  }

  /**
   * A surcharge goes to the bucket of `now`; a refund goes to the bucket it was charged to while that is kept, else
   * nowhere.
   */
  correct(cells: Cells, at: number, delta: number, part: Part, now: number): number {
    if (delta > 0) return this.add(cells, at, delta, { at: now, expiresAt: part.expiresAt });
    const first = this.#firstAt(now);
    this.#drop(cells, at, first);
    const bucket = Math.floor(part.at / this.#widthMs);
    if (delta < 0 && bucket >= first) this.#refund(cells, at, -delta, bucket);
    return numberAt(cells.numbers, at + Cell.used);
  }

  idle(cells: Cells, at: number, now: number): boolean {
    return this.used(cells, at, now) === 0;
  }

  forget(cells: Cells, at: number): void {
    cells.giveBackList(numberAt(cells.numbers, at + OLDER));
  }

  dump(cells: Cells, at: number): readonly number[] {
    const { numbers } = cells;
    const amount = numberAt(numbers, at + Cell.latest);
    const latest = amount === 0 ? [] : [this.#latest(numbers, at), amount];
    return [numberAt(numbers, at + Cell.used), ...olderOf(cells, at), ...latest];
  }

  /** Number of the oldest bucket that still counts at `now`. */
  #firstAt(now: number): number {
    return Math.floor(now / this.#widthMs) - SUB_BUCKETS;
  }

  /** Number of the latest bucket. Exact: it begins at a multiple of the width. */
  #latest(numbers: Float64Array, at: number): number {
    return numberAt(numbers, at + Cell.from) / this.#widthMs;
  }

  /** Makes an empty bucket the latest. */
  #begin(cells: Cells, at: number, bucket: number): void {
    const { numbers } = cells;
    const amount = numberAt(numbers, at + Cell.latest);
    if (amount > 0) keepOlder(cells, at, this.#latest(numbers, at), amount);
    numbers[at + Cell.latest] = 0;
    numbers[at + Cell.from] = bucket * this.#widthMs;
    numbers[at + Cell.until] = (bucket + 1) * this.#widthMs;
    numbers[at + OLDEST] = olderOf(cells, at)[0] ?? bucket;
  }

  #refund(cells: Cells, at: number, amount: number, bucket: number): void {
    const { numbers } = cells;
    if (bucket === this.#latest(numbers, at)) {
      addToLatest(numbers, at, -amount);
      return;
    }
    const older = olderOf(cells, at);
    const i = older.findIndex((number, index) => index % 2 === 0 && number === bucket);
    if (i < 0) throw new Error("a refund is of what was charged, and its bucket is kept while it counts");
    numbers[at + Cell.used] = numberAt(numbers, at + Cell.used) - amount;
    older[i + 1] = numberAt(older, i + 1) - amount;
    if (older[i + 1] === 0) older.splice(i, 2);
  }

  /** Forgets every bucket before `first`. */
  #drop(cells: Cells, at: number, first: number): void {
    const { numbers } = cells;
    if (numberAt(numbers, at + OLDEST) >= first) return;
    const older = olderOf(cells, at);
    let used = numberAt(numbers, at + Cell.used);
    let dead = 0;
    while (dead < older.length && numberAt(older, dead) < first) {
      used -= numberAt(older, dead + 1);
      dead += 2;
    }
    older.splice(0, dead);
    if (this.#latest(numbers, at) < first) {
      used -= numberAt(numbers, at + Cell.latest);
      numbers[at + Cell.latest] = 0;
    }
    numbers[at + Cell.used] = used;
    numbers[at + OLDEST] = older[0] ?? this.#latest(numbers, at);
  }
}

function olderOf(cells: Cells, at: number): number[] {
  return cells.list(numberAt(cells.numbers, at + OLDER));
}

function keepOlder(cells: Cells, at: number, bucket: number, amount: number): void {
  const handle = numberAt(cells.numbers, at + OLDER);
  const older = cells.list(handle);
  if (handle === NO_LIST) cells.numbers[at + OLDER] = cells.takeList([bucket, amount]);
  else if (older.length < EXACT_GROWTH_MAX) cells.replaceList(handle, older.concat(bucket, amount));
  else older.push(bucket, amount);
}

/** When a count of this window is zero by itself, if something was counted at `now`. */
export function emptyAfter(lengthMs: number, now: number): number {
  const widthMs = lengthMs / SUB_BUCKETS;
  return endOf(Math.floor(now / widthMs), widthMs);
}

/** The first moment at which a bucket no longer counts. */
function endOf(bucket: number, widthMs: number): number {
  return (bucket + SUB_BUCKETS + 1) * widthMs;
}
