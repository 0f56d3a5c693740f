import type { Charge, Reading } from "../admission/charge.js";
import { emptyAfter } from "../admission/sliding-count.js";

/** The count of each charge, and in how many milliseconds it is zero by itself. */
export interface Counted {
  readonly used: readonly number[];
  readonly resetMs: readonly number[];
}

/**
 * What charges would come to if they were made now, from the readings for them.
 *
 * @param now the counters' clock
 * @param from the clock from which waits are told
 */
export function foreseen(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
  from: number,
): Counted {
  const used = charges.map(({ amount }, i) => (readings[i]?.used ?? 0) + amount);
  const resetMs = charges.map(({ limit: { window }, amount }, i) => {
    if (window.kind === "sliding" && amount > 0) return emptyAfter(window.lengthMs, now) - from;
    return readings[i]?.resetMs ?? 0;
  });
  return { used, resetMs };
}
