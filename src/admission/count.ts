import { CalendarCount } from "./calendar-count.js";
import type { Charge } from "./charge.js";
import { InFlightCount } from "./in-flight-count.js";
import { LifetimeCount } from "./lifetime-count.js";
import type { Limit } from "./limit.js";
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
 * The caller clamps the clock: no `now` is below an earlier one. `used`, `fitsAt` and `emptyAt` change nothing.
 */
export interface Count {
  /** What the limit calls the count; see `Limit.field`. */
  readonly field: string;
  used(now: number, period: Period | undefined): number;
  /** The moment at which the charge fits below its limit's max: `-Infinity` where it does now, `Infinity` where it never will. */
  fitsAt(charge: Charge, now: number): number;
  /** The moment at which the count is zero by itself: `-Infinity` where it is now, `Infinity` where it never will be. */
  emptyAt(now: number, period: Period | undefined): number;
  /** Counts `amount` as of `part`, and returns what is used then. */
  add(amount: number, part: Part, period: Period | undefined): number;
  /** Corrects what was counted as of `part` by `delta`, up or down, and returns what is used at `now`. */
  correct(delta: number, part: Part, now: number, period: Period | undefined): number;
  /** Whether forgetting the count changes no later answer. */
  idle(now: number): boolean;
  /** The state as plain data, for tests and diagnosis. */
  dump(): readonly (number | null)[];
}

/** An empty count for a limit. */
export function createCount({ field, window }: Pick<Limit, "field" | "window">): Count {
  switch (window.kind) {
    case "sliding":
      return new SlidingCount(field, window.lengthMs);
    case "calendar":
      return new CalendarCount(field);
    case "lifetime":
      return new LifetimeCount(field);
    case "inFlight":
      return new InFlightCount(field);
  }
}
