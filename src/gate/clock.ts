/** A source of the time. `Date` is one; tests pass their own. */
export interface Clock {
  /** The present in epoch milliseconds, at most the end of the year 9999. */
  now(): number;
}
