import type { Random } from "../random.js";

/** Draws of whatever a random trace needs. */
export class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A number from 0 up to, but not including, 1. */
  share(): number {
    return this.#random();
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  /** A whole number from 1 to `max`. */
  upTo(max: number): number {
    return 1 + Math.floor(this.#random() * max);
  }

  oneOf<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T; // sound: no list here is empty
  }

  /** One of the values; undefined if there is none. */
  pick<T>(values: readonly T[]): T | undefined {
    return values.length === 0 ? undefined : this.oneOf(values);
  }
}
