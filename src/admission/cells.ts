import type { Period } from "./period.js";

/** The handle of a count that has no list. */
export const NO_LIST = 0;

/** Numbers that there is room for at first. */
const ROOM_MIN = 8;

/** Room is half as much again each time, so that each number is copied three times at most, on average. */
const GROWTH = 1.5;

/**
 * Where counts are kept: all their numbers in one array, a block for each scope, so that a call finds the counts of a
 * scope in two or three cache lines, and a million keys are no objects for a garbage collector to look at.
 *
 * What of a count has no fixed length is a list. The count has its handle among its numbers.
 */
export class Cells {
  #numbers = new Float64Array(ROOM_MIN);
  /** The first number that was never taken. */
  #end = 0;
  /** Blocks that were given back, by their size. */
  readonly #free = new Map<number, number[]>();
  readonly #lists: number[][] = [[]];
  readonly #freeLists: number[] = [];

  /** All numbers; another array after the next {@link take} or {@link extend}. */
  get numbers(): Float64Array {
    return this.#numbers;
  }

  /** A block with these numbers. Returns its address, which is the index of the first. */
  take(numbers: readonly number[]): number {
    const at = this.#free.get(numbers.length)?.pop() ?? this.#fresh(numbers.length);
    this.#numbers.set(numbers, at);
    return at;
  }

  /** Makes a block longer by these numbers: in its place, where nothing lies behind it. Returns its address. */
  extend(at: number, size: number, numbers: readonly number[]): number {
    if (at + size === this.#end) {
      this.#fresh(numbers.length);
      this.#numbers.set(numbers, at + size);
      return at;
    }
    const longer = this.take([...this.#numbers.subarray(at, at + size), ...numbers]);
    this.giveBack(at, size);
    return longer;
  }

  /** Gives a block back. Nobody may use its address, nor the handles that were in it, from now on. */
  giveBack(at: number, size: number): void {
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [at]);
    else free.push(at);
  }

  /** The handle of a new list. */
  takeList(list: number[]): number {
    const handle = this.#freeLists.pop() ?? this.#lists.length;
    this.#lists[handle] = list;
    return handle;
  }

  /** Puts another list in the place of one. */
  replaceList(handle: number, list: number[]): void {
    this.#lists[handle] = list;
  }

  giveBackList(handle: number): void {
    if (handle === NO_LIST) return;
    this.#lists[handle] = [];
    this.#freeLists.push(handle);
  }

  /** The list of a handle. That of none is empty, and not to be written to. */
  list(handle: number): number[] {
    return this.#lists[handle] as number[]; // sound: every handle is from `takeList`, or NO_LIST
  }

  #fresh(size: number): number {
    const at = this.#end;
    const end = at + size;
    if (end > this.#numbers.length) {
      const longer = new Float64Array(Math.max(end, Math.ceil(this.#numbers.length * GROWTH)));
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#end = end;
    return at;
  }
}

/**
 * The numbers of every count begin with these four. A call nearly always concerns the latest part of a count: the
 * current sub-bucket or the current period. As long as it does, all kinds count in the same way, so their `CountKind`
 * is not called.
 *
 * An enum, since what is built has its numbers written in their places: a constant would be looked up each time.
 */
export enum Cell {
  /** When the latest part ends; of no meaning to calendar counts. */
  until = 0,
  /** When it begins; for calendar counts, the index of the period. */
  from = 1,
  /** All that is used, at any moment of the latest part. */
  used = 2,
  /** How much of that was counted in the latest part; of no meaning to kinds that keep nothing older. */
  latest = 3,
}

/**
 * Whether both moments, of which `until` is not the earlier, lie in the latest part of a count. Of a calendar count,
 * which has a `period`, whether that is its latest part.
 */
export function isLatest(
  numbers: Float64Array,
  at: number,
  period: Period | undefined,
  from: number,
  until: number,
): boolean {
  // Not one comparison with either the index or the moment: V8 would allocate an object for a number that may be
  // either.
  if (period !== undefined) return numbers[at + Cell.from] === period.index;
  // Sound, as below: whoever asks has the address of a count.
  return from >= (numbers[at + Cell.from] as number) && until < (numbers[at + Cell.until] as number);
}

/** Adds an amount, which may be negative, to a count whose latest part {@link isLatest}. Returns what is used then. */
export function addToLatest(numbers: Float64Array, at: number, amount: number): number {
  const used = (numbers[at + Cell.used] as number) + amount;
  numbers[at + Cell.used] = used;
  numbers[at + Cell.latest] = (numbers[at + Cell.latest] as number) + amount;
  return used;
}

/** The number at an index that is known to be one. */
export function numberAt(numbers: ArrayLike<number>, index: number): number {
  return numbers[index] as number; // sound: whoever asks knows the length
}
