const ROOM_MIN = 64;

/**
 * Values by numbers that are given out in turn and mostly taken back soon.
 *
 * A value's place in a list is its number modulo the length of the list. So nothing is hashed, and no memory is taken
 * or given back as values come and go; a Map, which grows and shrinks meanwhile, takes five times as long. A value that
 * is still in its place when another number needs it moves to a Map.
 */
export class ByNumber<T extends { readonly number: number }> {
  #places: (T | undefined)[] = places(ROOM_MIN);
  readonly #late = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a value under a number that is not taken. */
  add(value: T): void {
    const isTaken = this.#places[this.#placeOf(value.number)] !== undefined;
    if (isTaken && this.#size * 2 >= this.#places.length) this.#grow();
    const place = this.#placeOf(value.number);
    const other = this.#places[place];
    if (other !== undefined) this.#late.set(other.number, other);
    this.#places[place] = value;
    this.#size++;
  }

  get(number: number): T | undefined {
    const value = this.#places[this.#placeOf(number)];
    return value?.number === number ? value : this.#late.get(number);
  }

  /**
   * The value with the smallest number, if none is below `from` or above `last`. It takes no longer than to look at all
   * places a few times, however many numbers are in between.
   */
  first(from: number, last: number): T | undefined {
    const nearest = Math.min(last, from + this.#places.length);
    for (let number = from; number <= nearest; number++) {
      const value = this.get(number);
      if (value !== undefined) return value;
    }
    if (nearest === last) return undefined;
    let first: T | undefined;
    for (const values of [this.#places, this.#late.values()]) {
      for (const value of values) {
        if (value !== undefined && (first === undefined || value.number < first.number)) first = value;
      }
    }
    return first;
  }

  delete(number: number): void {
    const place = this.#placeOf(number);
    if (this.#places[place]?.number === number) this.#places[place] = undefined;
    else if (!this.#late.delete(number)) return;
    this.#size--;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = places(before.length * 2);
    for (const value of before) if (value !== undefined) this.#places[this.#placeOf(value.number)] = value;
  }

  #placeOf(number: number): number {
    return number % this.#places.length;
  }
}

function places<T>(length: number): (T | undefined)[] {
  return new Array<T | undefined>(length).fill(undefined);
}
