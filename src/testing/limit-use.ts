import type { LimitReading } from "../admission/limit-reading.js";
import type { RefusalReason } from "../admission/reasons.js";
import type { ReasonCounts } from "./replay-result.js";

/** Counts refusals by reason. */
export class ReasonTally {
  readonly #counts = new Map<RefusalReason, number>();

  add(reason: RefusalReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Most frequent first. */
  toJSON(): ReasonCounts {
    return Object.fromEntries([...this.#counts].sort(([, a], [, b]) => b - a));
  }
}

/** What one limit does in a replay. */
export class LimitUse {
  reading: LimitReading;
  admitted = 0;
  overdrafts = 0;
  readonly reasons = new ReasonTally();
  #peak = 0;
  #sum = 0;
  #samples = 0;

  constructor(reading: LimitReading) {
    this.reading = reading;
  }

  /** Looks at the limit; at one of the moments over which the mean is taken, `isSample`. */
  see(reading: LimitReading, isSample = false): void {
    const share = shareOf(reading);
    this.reading = reading;
    this.#peak = Math.max(this.#peak, share);
    if (!isSample) return;
    this.#sum += share;
    this.#samples++;
  }

  get peak(): number {
    return this.#peak;
  }

  get mean(): number {
    return this.#samples === 0 ? 0 : this.#sum / this.#samples;
  }
}

/** The part of the max that is in use; of a max of zero, all where anything is. */
function shareOf({ used, max }: LimitReading): number {
  return max > 0 ? used / max : Math.min(used, 1);
}

/** Whether two readings are of one limit, where both are of one caller's chain. */
export function isSameLimit(a: LimitReading, b: LimitReading): boolean {
  return (
    a.scope === b.scope &&
    a.scopeId === b.scopeId &&
    a.meter === b.meter &&
    a.window === b.window &&
    a.perModel === b.perModel
  );
}
