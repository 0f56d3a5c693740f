import type { LimitReading } from "../admission/limit-reading.js";
import type { Meter } from "../model/limits.js";

/** The enforced limit on a meter with the least left. If several have the same left, the one that resets last. */
export function tightest(limits: readonly LimitReading[], meter: Meter): LimitReading | undefined {
  let found: LimitReading | undefined;
  for (const limit of limits) {
    if (limit.meter !== meter || limit.mode !== "enforce") continue;
    if (found === undefined || isTighter(limit, found)) found = limit;
  }
  return found;
}

function isTighter(limit: LimitReading, than: LimitReading): boolean {
  if (limit.remaining !== than.remaining) return limit.remaining < than.remaining;
  return (limit.resetsAt ?? Number.POSITIVE_INFINITY) > (than.resetsAt ?? Number.POSITIVE_INFINITY);
}
