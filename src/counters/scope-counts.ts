import { type Count, createCount } from "../admission/count.js";
import type { Limit } from "../admission/limit.js";

/** One count of a scope; a scope has few, so they are searched in turn. */
interface ScopeCount {
  readonly field: string;
  readonly count: Count;
}

type Scope = ScopeCount[];

/** The counts of all scopes, by the names that limits give them. */
export class ScopeCounts {
  readonly #scopes = new Map<string, Scope>();
  #sweep = this.#scopes.entries();
  // A call asks for the limits of one scope after the other: most look-ups are for the scope of the one before.
  #lastKey: string | undefined;
  #last: Scope | undefined;

  /** The count of a limit, where anything was counted. */
  find({ scopeKey, field }: Limit): Count | undefined {
    if (scopeKey !== this.#lastKey) {
      this.#last = this.#scopes.get(scopeKey);
      this.#lastKey = scopeKey;
    }
    if (this.#last === undefined) return undefined;
    for (const candidate of this.#last) if (candidate.field === field) return candidate.count;
    return undefined;
  }

  /** The count of a limit, from now on kept. */
  obtain(limit: Limit): Count {
    const found = this.find(limit);
    if (found !== undefined) return found;
    if (this.#last === undefined) {
      this.#last = [];
      this.#scopes.set(limit.scopeKey, this.#last);
    }
    const count = createCount(limit.window);
    this.#last.push({ field: limit.field, count });
    return count;
  }

  /** Looks at one scope, another each time, and forgets it where nothing in it matters any more. */
  sweepOne(now: number): void {
    let next = this.#sweep.next();
    if (next.done) {
      this.#sweep = this.#scopes.entries();
      next = this.#sweep.next();
      if (next.done) return;
    }
    const [key, counts] = next.value;
    if (!counts.every(({ count }) => count.idle(now))) return;
    this.#scopes.delete(key);
    this.#lastKey = undefined;
    this.#last = undefined;
  }

  /** Everything that is counted, as plain data. */
  dump(): Record<string, Record<string, readonly (number | null)[]>> {
    const dumped = [...this.#scopes].map(([key, counts]) => {
      const fields = counts.map(({ field, count }) => [field, [...count.dump()]] as const);
      return [key, Object.fromEntries(fields)] as const;
    });
    return Object.fromEntries(dumped.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
