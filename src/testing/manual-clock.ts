import type { Clock } from "../gate/clock.js";
import { ValidationError } from "../model/errors.js";

/** A clock that stands still until it is moved by hand. */
export class ManualClock implements Clock {
  #now: number;

  /**
   * @param now epoch milliseconds. Default: 0.
   * @throws ValidationError if `now` is not finite
   */
  constructor(now = 0) {
    this.#now = finite(now, "now");
  }

  /** The present, in epoch milliseconds. */
  now(): number {
    return this.#now;
  }

  /**
   * Sets the time, in epoch milliseconds. It may be earlier than before: real clocks are set back too.
   *
   * @throws ValidationError if `now` is not finite
   */
  set(now: number): void {
    this.#now = finite(now, "now");
  }

  /**
   * Moves on by some milliseconds, or back if they are negative.
   *
   * @throws ValidationError if `ms` is not finite, or so large that the time would not be
   */
  advance(ms: number): void {
    this.#now = finite(this.#now + ms, "ms");
  }
}

function finite(value: number, field: string): number {
  if (Number.isFinite(value)) return value;
  throw new ValidationError([{ field, expected: "a finite number of milliseconds" }]);
}
