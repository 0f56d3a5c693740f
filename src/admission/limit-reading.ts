import type { Meter, ScopeKind } from "../model/limits.js";
import { usdOf } from "../model/money.js";
import type { Reading } from "./charge.js";
import type { Limit, Window } from "./limit.js";

/**
 * The state of one limit, for people. For the meter `cost`, `max`, `used` and `remaining` are nano-USD, and `usd` holds
 * the same in US dollars.
 */
export interface LimitReading {
  readonly scope: ScopeKind;
  /** The id of the org, project or key, or the user id of a member. */
  readonly scopeId: string;
  readonly meter: Meter;
  /** The largest count that passes. */
  readonly max: number;
  /** Above `max` after an overdraft. */
  readonly used: number;
  /** Zero or more. */
  readonly remaining: number;
  /** The same three in US dollars, for the meter `cost`. */
  readonly usd?: { readonly max: number; readonly used: number; readonly remaining: number };
  /**
   * `minute` and `day` are sliding windows; `daily`, `weekly` and `monthly` are periods of the org's calendar; `lifetime`
   * is that of a budget that never resets, `credits` that of the org's credit.
   */
  readonly window: Window["name"];
  /**
   * When the count is zero if nothing else happens, in epoch milliseconds. Absent if time alone does not reset it.
   *
   * For a budget this is the end of the present period. In a refusal, it is the end of the last period without room.
   */
  readonly resetsAt?: number;
  /** The pattern of the models it applies to. Absent: all models. */
  readonly perModel?: string;
  readonly mode: "enforce" | "shadow";
}

/** What people are shown of a limit, from a reading taken at `now`. */
export function limitReading(
  limit: Limit,
  { used, resetMs }: Pick<Reading, "used" | "resetMs">,
  now: number,
): LimitReading {
  const { scope, scopeId, meter, max, window, perModel, mode } = limit;
  const remaining = Math.max(0, max - used);
  // Added to rather than spread: answers have many of these, and V8 is slow to copy an object that holds a double.
  const reading: { -readonly [K in keyof LimitReading]: LimitReading[K] } = {
    scope,
    scopeId,
    meter,
    max,
    used,
    remaining,
    window: window.name,
    mode,
  };
  if (meter === "cost") reading.usd = { max: usdOf(max), used: usdOf(used), remaining: usdOf(remaining) };
  if (Number.isFinite(resetMs)) reading.resetsAt = now + resetMs;
  if (perModel !== undefined) reading.perModel = perModel;
  return reading;
}

/** The part of a reading that says which limit it belongs to. */
type LimitIdentity = Pick<LimitReading, "scope" | "scopeId" | "meter" | "window"> & {
  readonly perModel?: string | undefined;
};

/** A name for a limit, whatever its max. No two limits that apply to a key share one. */
export function limitName({ scope, scopeId, meter, window, perModel }: LimitIdentity): string {
  return JSON.stringify([scope, scopeId, meter, window, perModel]);
}
