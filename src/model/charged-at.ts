/** What was charged, of which only the periods matter here: one for each calendar limit, all of one moment. */
export interface ChargedPeriods {
  readonly periods: readonly ({ readonly startsAt: number; readonly endsAt: number } | undefined)[];
}

/**
 * When a call was admitted by the clock that periods go by, in epoch milliseconds: the moment nearest to `reservedAt` in
 * the periods that were charged. Counters in memory or in a file say the latest moment that they were ever told, which
 * is in another period after a clock was ahead.
 */
export function chargedAt({ periods }: ChargedPeriods, reservedAt: number): number {
  let moment = reservedAt;
  for (const period of periods) {
    if (period) moment = Math.min(Math.max(moment, period.startsAt), period.endsAt - 1);
  }
  return moment;
}
