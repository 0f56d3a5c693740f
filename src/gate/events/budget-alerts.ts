import type { Charges } from "../../admission/charge.js";
import { countName, type Limit } from "../../admission/limit.js";
import type { Period } from "../../admission/period.js";
import { readingAfter } from "../call/admission.js";
import { type LatestUsed, latestUsed } from "../latest-used.js";
import { type CallContext, contextOf, type GateEventHub } from "./events.js";

/**
 * The least number of budget periods that are remembered: four for each of the 10,000 keys whose chains are kept by default. A
 * period that is forgotten may be told of twice (with every call, where more periods than these have reached a threshold), but
 * none goes untold.
 */
const LEAST_BUDGETS = 40_000;

/** Tells once per period, max and threshold that a budget has reached it. Every process tells for itself. */
export class BudgetAlerts {
  readonly #events: GateEventHub;
  /** The highest threshold told, by budget and period. */
  readonly #told: LatestUsed<number>;
  /** Each budget as it was when it was last charged: a settle may bring an older limit, raised since. Kept while somebody listens. */
  readonly #latest: LatestUsed<Limit>;

  /** @param maxKeys how many chains the gate keeps: with more keys there are more budgets */
  constructor(events: GateEventHub, maxKeys: number) {
    this.#events = events;
    const maxBudgets = Math.max(LEAST_BUDGETS, maxKeys);
    this.#told = latestUsed(maxBudgets);
    this.#latest = latestUsed(maxBudgets);
  }

  /** Looks at the counts after a charge, against the limits of the charge. */
  look(charges: Charges, used: readonly number[], now: number, context: CallContext): void {
    if (!this.#events.wants("budgetThreshold")) return;
    for (const limit of charges.limits) {
      if (limit.meter === "cost") this.#latest.set(countName(limit), limit);
    }
    this.#tell(charges, used, now, context);
  }

  /** Looks at the counts after a settle, against the limits as they were last charged: the call may have been admitted under another max. */
  lookAfter(charges: Charges, used: readonly number[], now: number, context: CallContext): void {
    if (!this.#events.wants("budgetThreshold")) return;
    const limits = charges.limits.map((limit) =>
      limit.meter === "cost" ? (this.#latest.get(countName(limit)) ?? limit) : limit,
    );
    this.#tell({ limits, periods: charges.periods }, used, now, context);
  }

  #tell(
    { limits, periods }: Pick<Charges, "limits" | "periods">,
    used: readonly number[],
    now: number,
    context: CallContext,
  ): void {
    for (const [i, limit] of limits.entries()) {
      const { alertAt, max } = limit;
      if (alertAt === undefined) continue;
      for (const threshold of alertAt) {
        // Divided, since `max * threshold` may be rounded to just above a count that has reached it.
        if (!((used[i] ?? 0) / max >= threshold)) break; // they ascend; 0 / 0 is NaN and reaches none
        if (this.#isNew(limit, periods[i], threshold)) {
          const reading = readingAfter(limit, periods[i], used[i] ?? 0, now);
          this.#events.emit("budgetThreshold", {
            at: now,
            threshold,
            limit: reading,
            context: contextOf(context),
          });
        }
      }
    }
  }

  #isNew(limit: Limit, period: Period | undefined, threshold: number): boolean {
    // With the max: a budget that was raised after an alert is told of again.
    const name = `${countName(limit)} ${period?.index} ${limit.max}`;
    const told = this.#told.get(name);
    if (told !== undefined && told >= threshold) return false;
    this.#told.set(name, threshold);
    return true;
  }
}
