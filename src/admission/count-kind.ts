import type { Cells } from "./cells.js";
import type { Charge } from "./charge.js";
import type { Period } from "./period.js";

/** Where one part of a reservation was charged. */
export interface Part {
  /** When it was charged, on the counters' clock. */
  readonly at: number;
  /** When the reservation ends by itself. */
  readonly expiresAt: number;
}

/**
 * How the counts of one kind of window count: pure arithmetic over cells, at the address of a count.
 *
 * The caller clamps the clock: no `now` is before an earlier one. `used`, `fitsAt` and `emptyAt` change nothing.
 */
export interface CountKind {
  /** The numbers of a count in which nothing was counted. */
  readonly empty: readonly number[];
  used(cells: Cells, at: number, now: number, period: Period | undefined): number;
  /** When the charge fits below its limit's max: `-Infinity` if it does now, `Infinity` if it never will. */
  fitsAt(cells: Cells, at: number, charge: Charge, now: number): number;
  /**
   * When the count is zero by itself. For a calendar count the end of the period, even if it is zero now; for a sliding
   * count `-Infinity` if it is zero now; `Infinity` if time alone does not do that.
   */
  emptyAt(cells: Cells, at: number, now: number, period: Period | undefined): number;
  /** Counts `amount` as of `part`, and returns what is used after it. */
  add(cells: Cells, at: number, amount: number, part: Part, period: Period | undefined): number;
  /** Corrects what was counted as of `part` by `delta`, up or down, and returns what is used at `now`. */
  correct(
    cells: Cells,
    at: number,
    delta: number,
    part: Part,
    now: number,
    period: Period | undefined,
  ): number;
  /** Whether forgetting the count changes no later answer. */
  idle(cells: Cells, at: number, now: number): boolean;
  /** Gives back what the count holds besides its numbers. */
  forget(cells: Cells, at: number): void;
  /** The state as plain data, for stores, tests and diagnosis. */
  dump(cells: Cells, at: number): readonly (number | null)[];
}
