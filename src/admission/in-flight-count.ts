import type { Charge } from "./charge.js";
import type { Count, Part } from "./count.js";

/** How many calls are open: one slot per reservation, free again when it is settled or its TTL has passed. */
export class InFlightCount implements Count {
  readonly field: string;
  /** When each slot is free again by itself, ascending. */
  readonly #expiries: number[] = [];

  constructor(field: string) {
    this.field = field;
  }

  used(now: number): number {
    return this.#expiries.length - this.#after(now);
  }

  /** The slots' own expiry is the only end that is known; a settle before it lets the call in earlier. */
  fitsAt({ amount, limit: { max } }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    const tooMany = this.used(now) + amount - max;
    if (tooMany <= 0) return Number.NEGATIVE_INFINITY;
    return this.#expiries[this.#after(now) + tooMany - 1] as number; // sound: tooMany is at most used
  }

  emptyAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(amount: number, { at, expiresAt }: Part): number {
    this.#expiries.splice(0, this.#after(at));
    for (let slot = 0; slot < amount; slot++) this.#expiries.splice(this.#after(expiresAt), 0, expiresAt);
    return this.#expiries.length;
  }

  correct(delta: number, part: Part, now: number): number {
    if (delta > 0) this.add(delta, { at: now, expiresAt: part.expiresAt });
    const first = this.#after(part.expiresAt - 1);
    for (let slot = 0; slot < -delta && this.#expiries[first] === part.expiresAt; slot++)
      this.#expiries.splice(first, 1);
    return this.used(now);
  }

  idle(now: number): boolean {
    return this.used(now) === 0;
  }

  dump(): readonly number[] {
    return this.#expiries;
  }

  /** Index of the first slot that is still taken at `now`, by bisection. */
  #after(now: number): number {
    let low = 0;
    let high = this.#expiries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#expiries[middle] as number) <= now) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
