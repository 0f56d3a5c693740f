import type {
  Budget,
  BudgetReset,
  CalendarReset,
  Limits,
  Meter,
  ModelLimits,
  ScopeKind,
} from "../model/limits.js";
import { nanoUsd } from "../model/money.js";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** How far back a count reaches. */
export type Window =
  | { readonly kind: "sliding"; readonly name: "minute" | "day"; readonly lengthMs: number }
  | { readonly kind: "calendar"; readonly name: CalendarReset; readonly timeZone: string }
  | { readonly kind: "lifetime"; readonly name: "lifetime" | "credits" }
  | { readonly kind: "inFlight"; readonly name: "in-flight" };

/** The kind of each window by its name. The name is also part of the count's, so no two windows share one. */
export const WINDOW_KINDS: Readonly<Record<Window["name"], Window["kind"]>> = {
  minute: "sliding",
  day: "sliding",
  daily: "calendar",
  weekly: "calendar",
  monthly: "calendar",
  lifetime: "lifetime",
  credits: "lifetime",
  "in-flight": "inFlight",
};

/** A meter, a max and a window, attached to a scope. Plain data, shared by all calls that the limit applies to. */
export interface Limit {
  readonly scope: ScopeKind;
  /** The id that a person knows: that of the org, project or key, or the user id of a member. */
  readonly scopeId: string;
  /** Names everything that is counted for the scope, uniquely across all orgs. A store keeps it together. */
  readonly scopeKey: string;
  /** Names the count within the scope. The max is not part of it, so changing a max keeps what was used. */
  readonly field: string;
  readonly meter: Meter;
  /** The largest count that passes. In nano-USD for the meter `cost`. */
  readonly max: number;
  readonly window: Window;
  readonly mode: "enforce" | "shadow";
  /** The pattern of the models it applies to. Absent: all models. */
  readonly perModel?: string | undefined;
  /** Set if calls on the customer's own provider key count too. */
  readonly countByok?: true | undefined;
  /** Shares of the max that emit a `budgetThreshold` event, in ascending order. */
  readonly alertAt?: readonly number[] | undefined;
}

/** Where a limit is attached, as {@link compileLimits} needs it. */
export interface Scope {
  readonly kind: ScopeKind;
  readonly id: string;
  /** See {@link Limit.scopeKey}. Made by {@link scopeKey}. */
  readonly key: string;
  /** The org's IANA time zone, in which budgets reset. */
  readonly timeZone: string;
}

/** A name that no two scopes share, whatever their ids contain. */
export function scopeKey(kind: ScopeKind, orgId: string, ...ids: readonly string[]): string {
  return JSON.stringify([kind, orgId, ...ids]);
}

/** Whether two limits use the same count. Their maxes may differ. */
export function sameCount(a: Limit, b: Limit): boolean {
  return a.scopeKey === b.scopeKey && a.field === b.field;
}

/** A name for a limit's count, to look counts up by. It is equal exactly for limits of the {@link sameCount}. */
export function countName({ scopeKey, field }: Limit): string {
  return `${scopeKey} ${field}`;
}

/**
 * Whether no two limits use the same count. It does not go by {@link countName}: a limit that came as JSON may have any
 * text as its `scopeKey`, such as one with a part of the field at its end.
 */
export function haveOwnCounts(limits: readonly Limit[]): boolean {
  const names = limits.map(({ scopeKey, field }) => JSON.stringify([scopeKey, field]));
  return new Set(names).size === limits.length;
}

/** The name of a limit that is a single number: its field in {@link ModelLimits}. */
export type Rate = Exclude<keyof ModelLimits, "budget" | "mode">;

const MINUTE: Window = Object.freeze({ kind: "sliding", name: "minute", lengthMs: MINUTE_MS });
const DAY: Window = Object.freeze({ kind: "sliding", name: "day", lengthMs: DAY_MS });
const IN_FLIGHT: Window = Object.freeze({ kind: "inFlight", name: "in-flight" });
const LIFETIME: Window = Object.freeze({ kind: "lifetime", name: "lifetime" });
const CREDITS: Window = Object.freeze({ kind: "lifetime", name: "credits" });

const RATES: Readonly<Record<Rate, { meter: Meter; window: Window }>> = {
  rpm: { meter: "requests", window: MINUTE },
  tpm: { meter: "tokens", window: MINUTE },
  inputTpm: { meter: "inputTokens", window: MINUTE },
  outputTpm: { meter: "outputTokens", window: MINUTE },
  rpd: { meter: "requests", window: DAY },
  tpd: { meter: "tokens", window: DAY },
  inFlight: { meter: "inFlight", window: IN_FLIGHT },
};

/**
 * The fields of {@link ModelLimits} that are a single number. Whatever compares or compiles limits goes through all of
 * them.
 */
export const RATE_NAMES = Object.keys(RATES) as readonly Rate[]; // sound: RATES has the keys of Rate and no others

/** The limits of one scope in the form that counters take. Those for single models come last. */
export function compileLimits(limits: Limits | undefined, scope: Scope): Limit[] {
  if (!limits) return [];
  const compiled = compileModelLimits(limits, scope);
  for (const [pattern, perModel] of Object.entries(limits.perModel ?? {})) {
    compiled.push(...compileModelLimits(perModel, scope, limits.mode, pattern));
  }
  return compiled;
}

function compileModelLimits(
  limits: ModelLimits,
  scope: Scope,
  inheritedMode: ModelLimits["mode"] = undefined,
  perModel?: string,
): Limit[] {
  const mode = limits.mode ?? inheritedMode ?? "enforce";
  const compiled: Limit[] = [];
  for (const name of RATE_NAMES) {
    const max = limits[name];
    if (max !== undefined) compiled.push(limitOf(scope, { ...RATES[name], max, mode, perModel }));
  }
  for (const { usd, reset, alertAt, countByok } of budgetsOf(limits.budget)) {
    compiled.push(
      limitOf(scope, {
        meter: "cost",
        max: nanoUsd(usd),
        window: budgetWindow(reset, scope.timeZone),
        mode,
        perModel,
        countByok: countByok ? true : undefined,
        alertAt: alertAt && Object.freeze([...alertAt].sort((a, b) => a - b)),
      }),
    );
  }
  return compiled;
}

/** The credit of an org as a limit: everything ever granted, against everything ever spent. */
export function creditLimit(creditsNanoUsd: number, scope: Scope): Limit {
  return limitOf(scope, {
    meter: "cost",
    max: creditsNanoUsd,
    window: CREDITS,
    mode: "enforce",
  });
}

type LimitParts = Omit<Limit, "scope" | "scopeId" | "scopeKey" | "field">;

/**
 * A single object literal makes every limit, so all have one hidden class and reading them in inner loops stays fast.
 */
function limitOf(
  scope: Scope,
  { meter, max, window, mode, perModel, countByok, alertAt }: LimitParts,
): Limit {
  return Object.freeze({
    scopeKey: scope.key,
    field: fieldOf(meter, window, perModel),
    max,
    meter,
    window,
    mode,
    scope: scope.kind,
    scopeId: scope.id,
    perModel,
    countByok,
    alertAt,
  });
}

/** The budgets of a scope as a list, whether one or several were written. */
export function budgetsOf(budget: Budget | readonly Budget[] | undefined): readonly Budget[] {
  if (budget === undefined) return [];
  return "usd" in budget ? [budget] : budget;
}

function budgetWindow(reset: BudgetReset, timeZone: string): Window {
  return reset === "never" ? LIFETIME : Object.freeze({ kind: "calendar", name: reset, timeZone });
}

// Each string is made once, so that a store that compares them finds identical ones nearly always.
const FIELDS = new Map<string, string>();

function fieldOf(meter: Meter, window: Window, perModel: string | undefined): string {
  const plain = `${meter}/${window.name}`;
  if (perModel !== undefined) return `${plain}/${perModel}`;
  const known = FIELDS.get(plain);
  if (known !== undefined) return known;
  FIELDS.set(plain, plain);
  return plain;
}
