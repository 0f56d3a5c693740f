import type { Limits } from "../model/limits.js";
import { compileLimits, type Limit, type Scope } from "./limit.js";

/**
 * Compiles the limits of a scope once for all the keys below it. Ten thousand keys of an org then share one set of
 * limits, which takes less memory and stays in the processor's cache.
 */
export class LimitCache {
  readonly #compiled = new Map<string, readonly Limit[]>();
  readonly #maxScopes: number;

  /** @param maxScopes The most scopes to keep; when full, the oldest is dropped. */
  constructor(maxScopes = 10_000) {
    this.#maxScopes = maxScopes;
  }

  /** Like {@link compileLimits}. */
  compile(limits: Limits | undefined, scope: Scope): readonly Limit[] {
    if (limits === undefined) return [];
    const name = JSON.stringify([scope.key, scope.timeZone, limits]);
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const compiled = compileLimits(limits, scope);
    if (this.#compiled.size >= this.#maxScopes) {
      const [oldest] = this.#compiled.keys();
      if (oldest !== undefined) this.#compiled.delete(oldest);
    }
    this.#compiled.set(name, compiled);
    return compiled;
  }
}
