/** Tells the time in epoch milliseconds. `Date` is one; tests give their own. */
export interface Clock {
  now(): number;
}
