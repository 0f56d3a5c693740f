import type { Charge } from "./charge.js";
import type { Count } from "./count.js";

/** A count that never starts again. */
export class LifetimeCount implements Count {
  readonly field: string;
  #used = 0;

  constructor(field: string) {
    this.field = field;
  }

  used(): number {
    return this.#used;
  }

  fitsAt({ amount, limit: { max } }: Charge): number {
    return this.#used + amount <= max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  emptyAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(amount: number): number {
    this.#used += amount;
    return this.#used;
  }

  correct(delta: number): number {
    this.#used += delta;
    return this.#used;
  }

  idle(): boolean {
    return this.#used === 0;
  }

  dump(): readonly number[] {
    return [this.#used];
  }
}
