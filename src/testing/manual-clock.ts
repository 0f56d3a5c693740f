import type { Clock } from "../gate/clock.js";
import { ValidationError } from "../model/errors.js";

/** A clock that stands still until it is moved by hand. */
export class ManualClock implements Clock {
  #now: number;

  /** @param now epoch milliseconds */
  constructor(now = 0) {
    this.#now = finite(now, "now");
  }

  now(): number {
    return this.#now;
  }

  /** Moves to a moment in epoch milliseconds. It may be an earlier one: clocks of machines are set back, too. */
  set(now: number): void {
    this.#now = finite(now, "now");
  }

  /** Moves on by milliseconds, or back where they are negative. */
  advance(ms: number): void {
    this.#now += finite(ms, "ms");
  }
}

function finite(value: number, field: string): number {
  if (Number.isFinite(value)) return value;
  throw new ValidationError([{ field, expected: "a finite number of milliseconds" }]);
}
