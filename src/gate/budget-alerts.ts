import { LRUCache } from "lru-cache";
import type { Charge } from "../admission/charge.js";
import { readingAfter } from "./admission.js";
import type { CallContext, EventHub } from "./events.js";

/** Budgets remembered. One that falls out may be told of twice; none goes untold. */
const BUDGETS_MAX = 10_000;

/** Tells once per period and threshold that a budget has reached it. Every process tells for itself. */
export class BudgetAlerts {
  readonly #events: EventHub;
  readonly #told = new LRUCache<string, { readonly period: number; readonly threshold: number }>({
    max: BUDGETS_MAX,
  });

  constructor(events: EventHub) {
    this.#events = events;
  }

  /** Looks at what a charge or a settle left on the counts. */
  look(charges: readonly Charge[], used: readonly number[], now: number, context: CallContext): void {
    if (!this.#events.wants("budgetThreshold")) return;
    for (const [i, charge] of charges.entries()) {
      const { alertAt, max } = charge.limit;
      if (alertAt === undefined) continue;
      for (const threshold of alertAt) {
        if ((used[i] ?? 0) < threshold * max) break; // ascending
        if (this.#isNew(charge, threshold)) {
          const limit = readingAfter(charge, used[i] ?? 0, now);
          this.#events.emit("budgetThreshold", { at: now, threshold, limit, context });
        }
      }
    }
  }

  #isNew({ limit, period }: Charge, threshold: number): boolean {
    const name = `${limit.scopeKey} ${limit.field}`;
    const index = period?.index ?? 0;
    const told = this.#told.get(name);
    if (told !== undefined && (told.period > index || (told.period === index && told.threshold >= threshold)))
      return false;
    this.#told.set(name, { period: index, threshold });
    return true;
  }
}
