import fc from "fast-check";
import type { Charge } from "../../src/admission/charge.js";
import { compileLimits, type Limit, scopeKey } from "../../src/admission/limit.js";
import { periodAt } from "../../src/admission/period.js";
import type { Limits, ScopeKind } from "../../src/model/limits.js";

/** The limits of one scope of org `o1`, compiled. */
export function limitsAt(kind: ScopeKind, limits: Limits, id = `${kind}1`, timeZone = "UTC"): Limit[] {
  return compileLimits(limits, { kind, id, key: scopeKey(kind, "o1", id), timeZone });
}

/** The one limit of a scope. */
export function limitOf(limits: Limits, kind: ScopeKind = "key"): Limit {
  const [limit, ...more] = limitsAt(kind, limits);
  if (!limit || more.length > 0) throw new Error("exactly one limit");
  return limit;
}

/** A charge in the period of `now`. */
export function charge(limit: Limit, amount: number, now: number): Charge {
  const { window } = limit;
  if (window.kind !== "calendar") return { limit, amount };
  return { limit, amount, period: periodAt(window.name, window.timeZone, now) };
}

/** Moments around a day in 2026, at which windows and periods turn. */
export const START = Date.UTC(2026, 4, 31, 23, 58);

/** How far a clock moves between two steps: back and forth, within a bucket and over a whole window. */
export const clockStep = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 2_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 70_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: -90_000, max: 0 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 999, 1_000, 59_999, 60_000, 60_001, 61_000) },
);
