import { type Count, createCount } from "../admission/count.js";
import type { Limit } from "../admission/limit.js";
import type { Plan } from "../admission/plan.js";

/** Scopes looked at for each that is made, so that what is forgotten keeps up with what is new. */
const SWEPT_PER_NEW = 2;

/** The counts of all scopes, by the names that limits give them. A scope has few, so they are searched in turn. */
export class ScopeCounts {
  readonly #scopes = new Map<string, readonly Count[]>();
  #sweep = this.#scopes.entries();
  // A call asks for the limits of one scope after the other: most look-ups are for the scope of the one before.
  #lastKey: string | undefined;
  #last: readonly Count[] | undefined;
  /** Made anew when something is forgotten: what was found before may be a count that is no longer kept. */
  #epoch = {};

  /** The count of a limit, where anything was counted. */
  find({ scopeKey, field }: Limit): Count | undefined {
    if (scopeKey !== this.#lastKey) {
      this.#last = this.#scopes.get(scopeKey);
      this.#lastKey = scopeKey;
    }
    if (this.#last === undefined) return undefined;
    for (const count of this.#last) if (count.field === field) return count;
    return undefined;
  }

  /** The count of a limit, from now on kept. What matters no more at `now` makes room for it. */
  obtain(limit: Limit, now: number): Count {
    const found = this.find(limit);
    if (found !== undefined) return found;
    if (this.#last === undefined) for (let i = 0; i < SWEPT_PER_NEW; i++) this.#sweepOne(now);
    const count = createCount(limit);
    // By concat: an array that grows by push has room for seventeen, which a million keys would pay for.
    this.#last = (this.#last ?? []).concat(count);
    this.#lastKey = limit.scopeKey;
    this.#scopes.set(limit.scopeKey, this.#last);
    return count;
  }

  /** The counts of a plan's limits, in their order, where all of them are kept. */
  ofPlan(plan: Plan): FoundCounts | undefined {
    const { found } = plan;
    if (found instanceof FoundCounts && found.epoch === this.#epoch) return found;
    const counts: Count[] = [];
    for (const limit of plan.limits) {
      const count = this.find(limit);
      if (count === undefined) return undefined;
      counts.push(count);
    }
    const fresh = new FoundCounts(this.#epoch, counts);
    plan.found = fresh;
    return fresh;
  }

  /** Whether nothing has been forgotten since these were found. */
  holds({ epoch }: FoundCounts): boolean {
    return epoch === this.#epoch;
  }

  /** Everything that is counted, as plain data. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    const dumped = [...this.#scopes].map(([key, counts]) => {
      const fields = counts.map((count) => [count.field, [...count.dump()]] as const);
      return [key, Object.fromEntries(fields)] as const;
    });
    return Object.fromEntries(dumped.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Looks at one scope, another each time, and forgets it where nothing in it matters any more. */
  #sweepOne(now: number): void {
    let next = this.#sweep.next();
    if (next.done) {
      this.#sweep = this.#scopes.entries();
      next = this.#sweep.next();
      if (next.done) return;
    }
    const [key, counts] = next.value;
    if (!counts.every((count) => count.idle(now))) return;
    this.#scopes.delete(key);
    this.#epoch = {};
    this.#lastKey = undefined;
  }
}

/** Counts that were found for the limits of a plan. */
export class FoundCounts {
  /** Which counts, and since what was last forgotten of them. */
  readonly epoch: object;
  readonly counts: readonly Count[];

  constructor(epoch: object, counts: readonly Count[]) {
    this.epoch = epoch;
    this.counts = counts;
  }
}
