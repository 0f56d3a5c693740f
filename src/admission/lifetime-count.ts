import type { Charge } from "./charge.js";
import type { Count, Part } from "./count.js";

/** A count that never starts again. */
export class LifetimeCount implements Count {
  #used = 0;

  used(): number {
    return this.#used;
  }

  fitsAt({ amount, limit: { max } }: Charge): number {
    return this.#used + amount <= max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  emptyAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(amount: number): void {
    this.#used += amount;
  }

  correct(delta: number, _part: Part): void {
    this.#used += delta;
  }

  idle(): boolean {
    return this.#used === 0;
  }

  dump(): readonly number[] {
    return [this.#used];
  }
}
