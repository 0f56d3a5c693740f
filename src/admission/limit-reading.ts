import type { Meter, ScopeKind } from "../model/limits.js";
import { usdOf } from "../model/money.js";
import type { Reading } from "./charge.js";
import type { Limit, Window } from "./limit.js";

/** What a person is shown of one limit. `max`, `used` and `remaining` of `cost` are nano-USD; `usd` is the same in dollars. */
export interface LimitReading {
  readonly scope: ScopeKind;
  /** Id of the org, project or key; of a member, the user's id. */
  readonly scopeId: string;
  readonly meter: Meter;
  readonly max: number;
  /** Above `max` after an overdraft. */
  readonly used: number;
  /** Never below zero. */
  readonly remaining: number;
  readonly usd?: { readonly max: number; readonly used: number; readonly remaining: number };
  /** `minute` and `day` are sliding; `daily`, `weekly` and `monthly` are periods of the org's calendar. */
  readonly window: Window["name"];
  /**
   * Epoch milliseconds at which the count is zero if nothing else happens; absent where waiting does not do that. Of a budget the end
   * of the present period, and in a refusal that of the last one in which there is no room.
   */
  readonly resetsAt?: number;
  /** The pattern of the models it is about; absent for all. */
  readonly perModel?: string;
  readonly mode: "enforce" | "shadow";
}

/** A limit as a person is shown it, from a reading taken at `now`. */
export function limitReading(
  limit: Limit,
  { used, resetMs }: Pick<Reading, "used" | "resetMs">,
  now: number,
): LimitReading {
  const { scope, scopeId, meter, max, window, perModel, mode } = limit;
  const remaining = Math.max(0, max - used);
  // Added to and not spread: answers have many of these, and V8 copies an object with a double in it slowly.
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

/** What of a reading says which limit it is of. */
type LimitIdentity = Pick<LimitReading, "scope" | "scopeId" | "meter" | "window"> & {
  readonly perModel?: string | undefined;
};

/** Names a limit, whatever its max: of the limits over one key, each has another name. */
export function limitName({ scope, scopeId, meter, window, perModel }: LimitIdentity): string {
  return JSON.stringify([scope, scopeId, meter, window, perModel]);
}
