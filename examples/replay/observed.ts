import type { RefusalReason } from "tollgate";
import type { ReplayStep } from "tollgate/testing";

const MINUTE_MS = 60_000;

/** Shortest and longest time after which a refused call would pass, in milliseconds; absent if waiting never helps. */
export interface Waits {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** What the report shows besides the replay's own sums: calls by minute, and how long refused calls would wait. */
export class Observed {
  readonly callsByMinute: number[] = [];
  readonly refusedByMinute: number[] = [];
  readonly waits = new Map<RefusalReason, Waits>();
  calls = 0;
  readonly #startsAt: number;

  /** @param startsAt epoch milliseconds of the first minute */
  constructor(startsAt: number) {
    this.#startsAt = startsAt;
  }

  observe(step: ReplayStep): void {
    if (step.kind !== "admission") return;
    const { admission, at } = step;
    const minute = Math.floor((at - this.#startsAt) / MINUTE_MS);
    this.calls++;
    increase(this.callsByMinute, minute, 1);
    increase(this.refusedByMinute, minute, admission.admitted ? 0 : 1);
    if (admission.admitted || admission.retryAfterMs === undefined) return;
    const { reason, retryAfterMs } = admission;
    const { shortestMs, longestMs } = this.waits.get(reason) ?? {
      shortestMs: retryAfterMs,
      longestMs: retryAfterMs,
    };
    this.waits.set(reason, {
      shortestMs: Math.min(shortestMs, retryAfterMs),
      longestMs: Math.max(longestMs, retryAfterMs),
    });
  }
}

/** Adds to the count of a minute. The minutes before it in which nothing came get zeros. */
function increase(counts: number[], minute: number, by: number): void {
  while (counts.length <= minute) counts.push(0);
  counts[minute] = (counts[minute] ?? 0) + by;
}
