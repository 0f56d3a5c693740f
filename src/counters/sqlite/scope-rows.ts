import { type Count, createCount } from "../../admission/count.js";
import type { Limit } from "../../admission/limit.js";
import { isKnown, restoreCount, type SavedCount, saveCount } from "../../admission/saved-count.js";
import type { Connection } from "../../sqlite/connection.js";
import { storedText } from "../../sqlite/text.js";
import type { KeptCounts } from "../counting.js";

/** How many stored scopes are looked at for each new one, so that forgetting keeps up with what is new. */
const SWEPT_PER_NEW = 2;

/** The counts of one scope by their fields. A count is restored from its saved form when it is first asked for. */
interface Scope {
  readonly stored: string | undefined;
  readonly saved: Record<string, SavedCount>;
  readonly restored: Map<string, { readonly limit: Limit; readonly count: Count }>;
  /** Whether a count was asked for to change it. */
  changed: boolean;
}

/** The counts of all scopes, each in a row that is read once and written once per transaction. */
export class ScopeRows implements KeptCounts {
  readonly #connection: Connection;
  readonly #scopes = new Map<string, Scope>();
  /** The last scope that this process swept. Each process goes through all scopes by itself. */
  #sweptUpTo = "";
  /** The earliest moment, by the callers' clock, at which a count was obtained in this transaction. */
  #earliest = Number.POSITIVE_INFINITY;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Called at the beginning of a transaction: nothing read in an earlier one is relied on. */
  begin(): void {
    this.#scopes.clear();
    this.#earliest = Number.POSITIVE_INFINITY;
  }

  /**
   * Writes the scopes that have changed, and forgets what no longer matters by the callers' clock: see
   * `ScopeCounts.obtain`.
   *
   * @returns whether anything was written
   */
  flush(): boolean {
    const now = this.#earliest;
    let written = 0;
    let made = 0;
    for (const [scopeKey, scope] of this.#scopes) {
      const key = storedText(scopeKey);
      const text = scope.changed ? textOf(scope, now) : scope.stored;
      if (text === scope.stored) continue;
      written++;
      if (text === undefined) this.#connection.run("DELETE FROM tollgate_scope WHERE scope_key = ?", key);
      else if (scope.stored === undefined) {
        made++;
        this.#connection.run("INSERT INTO tollgate_scope (scope_key, counts) VALUES (?, ?)", key, text);
      } else this.#connection.run("UPDATE tollgate_scope SET counts = ? WHERE scope_key = ?", text, key);
    }
    if (made > 0) this.#sweep(made * SWEPT_PER_NEW, now);
    return written > 0;
  }

  find(limit: Limit): Count | undefined {
    const scope = this.#scope(limit.scopeKey);
    const known = scope.restored.get(limit.field);
    if (known !== undefined) return known.count;
    const saved = Object.hasOwn(scope.saved, limit.field) ? scope.saved[limit.field] : undefined;
    if (saved === undefined) return undefined;
    const count = restoreCount(saved);
    scope.restored.set(limit.field, { limit, count });
    return count;
  }

  obtain(limit: Limit, callerNow: number): Count {
    this.#earliest = Math.min(this.#earliest, callerNow);
    const scope = this.#scope(limit.scopeKey);
    scope.changed = true;
    const found = this.find(limit);
    if (found !== undefined) return found;
    const count = createCount(limit.window);
    scope.restored.set(limit.field, { limit, count });
    return count;
  }

  #scope(key: string): Scope {
    const known = this.#scopes.get(key);
    if (known !== undefined) return known;
    const row = this.#connection.first(
      "SELECT counts FROM tollgate_scope WHERE scope_key = ?",
      storedText(key),
    );
    const stored = row === undefined ? undefined : String(row.counts);
    const saved = stored === undefined ? {} : savedIn(stored);
    const scope = { stored, saved, restored: new Map(), changed: false };
    this.#scopes.set(key, scope);
    return scope;
  }

  /** Looks at the next scopes in the table, starting over after the last, and deletes those that no longer matter. */
  #sweep(scopes: number, now: number): void {
    const rows = this.#connection.all(
      "SELECT scope_key, counts FROM tollgate_scope WHERE scope_key > ? ORDER BY scope_key LIMIT ?",
      this.#sweptUpTo,
      scopes,
    );
    for (const { scope_key, counts } of rows) {
      const saved = Object.values(savedIn(String(counts)));
      if (saved.every((count) => isKnown(count) && restoreCount(count).idle(now)))
        this.#connection.run("DELETE FROM tollgate_scope WHERE scope_key = ?", String(scope_key));
    }
    this.#sweptUpTo = rows.length < scopes ? "" : String(rows.at(-1)?.scope_key);
  }
}

/** The row of a scope. Undefined if nothing of it matters any more. */
function textOf({ saved, restored }: Scope, now: number): string | undefined {
  const counts = Object.entries(saved).filter(([field]) => !restored.has(field));
  let idle = counts.length === 0;
  for (const [field, { limit, count }] of restored) {
    idle &&= count.idle(now);
    counts.push([field, saveCount(limit, count)]);
  }
  return idle ? undefined : JSON.stringify(Object.fromEntries(counts));
}

function savedIn(text: string): Record<string, SavedCount> {
  return JSON.parse(text); // what `textOf` has written
}
