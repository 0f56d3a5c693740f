/** Tells the time in epoch milliseconds; at most the end of the year 9999. `Date` is one; tests give their own. */
export interface Clock {
  now(): number;
}
