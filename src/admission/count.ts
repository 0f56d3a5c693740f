import { CalendarCount } from "./calendar-count.js";
import type { Charge } from "./charge.js";
import { InFlightCount } from "./in-flight-count.js";
import { LifetimeCount } from "./lifetime-count.js";
import type { Window } from "./limit.js";
import type { Period } from "./period.js";
import { SlidingCount } from "./sliding-count.js";

/** Where one part of a reservation was charged. */
export interface Part {
  /** When it was charged, on the counters' clock. */
  readonly at: number;
  /** When the reservation ends by itself. */
  readonly expiresAt: number;
}

/**
 * What one limit has counted: pure arithmetic, one class for each kind of window.
 *
 * The caller clamps the clock: no `now` is below an earlier one. `used`, `waitMs` and `resetMs` change nothing.
 */
export interface Count {
  used(now: number, period: Period | undefined): number;
  /** Milliseconds until the charge fits below its limit's max; 0 where it does now, `Infinity` where it never will. */
  waitMs(charge: Charge, now: number): number;
  /** Milliseconds until the count is zero by itself, where it ever is. */
  resetMs(now: number, period: Period | undefined): number | undefined;
  /** Counts `amount` as of `part`. */
  add(amount: number, part: Part, period: Period | undefined): void;
  /** Corrects what was counted as of `part` by `delta`, up or down. */
  correct(delta: number, part: Part, now: number, period: Period | undefined): void;
  /** Whether forgetting the count changes no later answer. */
  idle(now: number): boolean;
  /** The state as plain data, for tests and diagnosis. */
  dump(): readonly (number | null)[];
}

/** An empty count for a window. */
export function createCount(window: Window): Count {
  switch (window.kind) {
    case "sliding":
      return new SlidingCount(window.lengthMs);
    case "calendar":
      return new CalendarCount();
    case "lifetime":
      return new LifetimeCount();
    case "inFlight":
      return new InFlightCount();
  }
}
