import type { Period } from "./period.js";

/** The handle of a count that has no list. */
export const NO_LIST = 0;

/** How many numbers there is room for at first. */
const ROOM_MIN = 8;

/** Room grows by half each time, so that each number is copied at most three times on average. */
const GROWTH = 1.5;

/**
 * Where counts are kept: all their numbers in one array, with a block for each scope. So a call finds the counts of a
 * scope in two or three cache lines, and a million keys are not a million objects for the garbage collector.
 *
 * What has no fixed length in a count is a list, whose handle is among the count's numbers.
 */
export class Cells {
  #numbers = new Float64Array(ROOM_MIN);
  /** The first number that was never taken. */
  #end = 0;
  /** Blocks that were given back, by size. */
  readonly #free = new Map<number, number[]>();
  readonly #lists: number[][] = [[]];
  readonly #freeLists: number[] = [];

  /** All numbers. It is another array after the next {@link take} or {@link extend}. */
  get numbers(): Float64Array {
    return this.#numbers;
  }

  /**
   * Takes a block with these numbers.
   *
   * @returns its address, which is the index of its first number
   */
  take(numbers: readonly number[]): number {
    const at = this.#free.get(numbers.length)?.pop() ?? this.#fresh(numbers.length);
    this.#numbers.set(numbers, at);
    return at;
  }

  /**
   * Makes a block longer by these numbers: in a block that was given back, so that such blocks do not pile up, else in
   * place if nothing lies behind it.
   *
   * @returns its address
   */
  extend(at: number, size: number, numbers: readonly number[]): number {
    if (at + size === this.#end && !this.#free.get(size + numbers.length)?.length) {
      this.#fresh(numbers.length);
      this.#numbers.set(numbers, at + size);
      return at;
    }
    const longer = this.take([...this.#numbers.subarray(at, at + size), ...numbers]);
    this.giveBack(at, size);
    return longer;
  }

  /** Gives a block back. From now on its address and the handles in it must not be used. */
  giveBack(at: number, size: number): void {
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [at]);
    else free.push(at);
  }

  /**
   * Keeps a new list.
   *
   * @returns its handle
   */
  takeList(list: number[]): number {
    const handle = this.#freeLists.pop() ?? this.#lists.length;
    this.#lists[handle] = list;
    return handle;
  }

  /** Replaces a list. */
  replaceList(handle: number, list: number[]): void {
    this.#lists[handle] = list;
  }

  giveBackList(handle: number): void {
    if (handle === NO_LIST) return;
    this.#lists[handle] = [];
    this.#freeLists.push(handle);
  }

  /** The list of a handle. That of {@link NO_LIST} is empty and must not be written to. */
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
 * The numbers with which every count begins. A call nearly always concerns the latest part of a count: the current
 * sub-bucket or the current period. As long as it does, all kinds count in the same way, and their `CountKind` is not
 * called.
 *
 * It is an enum because the build then writes the numbers where they are used; a constant would be looked up each time.
 */
export enum Cell {
  /** When the latest part ends. Unused by calendar counts. */
  until = 0,
  /** When the latest part begins. For calendar counts, the index of the period. */
  from = 1,
  /** Everything that is used, at any moment of the latest part. */
  used = 2,
  /** How much of that was counted in the latest part. Unused by kinds that keep nothing older. */
  latest = 3,
}

/**
 * Whether both moments, the later of which is `until`, are in the latest part of a count. For a calendar count, which
 * has a `period`, whether that is its latest part.
 */
export function isLatest(
  numbers: Float64Array,
  at: number,
  period: Period | undefined,
  from: number,
  until: number,
): boolean {
  // Not a single comparison with either the index or the moment: V8 would allocate an object for a number that may be
  // either.
  if (period !== undefined) return numbers[at + Cell.from] === period.index;
  // Sound, as below: whoever asks has the address of a count.
  return from >= (numbers[at + Cell.from] as number) && until < (numbers[at + Cell.until] as number);
}

/**
 * Adds an amount, which may be negative, to a count for which {@link isLatest} holds.
 *
 * @returns what is used after it
 */
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
