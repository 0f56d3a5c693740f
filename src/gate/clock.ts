/** A source of the time. `Date` is one; tests pass their own. */
export interface Clock {
  now(): number;
}
