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

/** How long a count reaches back. */
export type Window =
  | { readonly kind: "sliding"; readonly name: "minute" | "day"; readonly lengthMs: number }
  | { readonly kind: "calendar"; readonly name: CalendarReset; readonly timeZone: string }
  | { readonly kind: "lifetime"; readonly name: "lifetime" | "credits" }
  | { readonly kind: "inFlight"; readonly name: "in-flight" };

/** The kind of each window by its name, which names the count too: two windows never have the same. */
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

/** Meter, max and window, attached to a scope. Plain data; one is shared by all calls that it applies to. */
export interface Limit {
  readonly scope: ScopeKind;
  /** The id a person knows: of the org, project or key, or the user id of a member. */
  readonly scopeId: string;
  /** Names everything that is counted for the scope, uniquely over all orgs. A store keeps it together. */
  readonly scopeKey: string;
  /** Names the count within the scope. The max is no part of it: changing a max keeps what was used. */
  readonly field: string;
  readonly meter: Meter;
  /** Largest count that passes; nano-USD for `cost`. */
  readonly max: number;
  readonly window: Window;
  readonly mode: "enforce" | "shadow";
  /** The pattern of the models it is about; absent for all. */
  readonly perModel?: string | undefined;
  readonly countByok?: true | undefined;
  readonly alertAt?: readonly number[] | undefined;
}

/** Where a limit is attached, as {@link compileLimits} needs it. */
export interface Scope {
  readonly kind: ScopeKind;
  readonly id: string;
  /** See {@link Limit.scopeKey}; made by {@link scopeKey}. */
  readonly key: string;
  /** IANA zone of the org: budgets reset by it. */
  readonly timeZone: string;
}

/** A name that no two scopes share, whatever their ids contain. */
export function scopeKey(kind: ScopeKind, orgId: string, ...ids: readonly string[]): string {
  return JSON.stringify([kind, orgId, ...ids]);
}

/** Whether two limits count on the same count; their max may differ. */
export function sameCount(a: Limit, b: Limit): boolean {
  return a.scopeKey === b.scopeKey && a.field === b.field;
}

/** One text for each count: the same of two limits where {@link sameCount} holds, to look counts up by. */
export function countName({ scopeKey, field }: Limit): string {
  return `${scopeKey} ${field}`;
}

/** A limit that is one number, by its field in {@link ModelLimits}. */
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

/** The fields of {@link ModelLimits} that are one number: whatever compares or compiles limits goes through all of them. */
export const RATE_NAMES = Object.keys(RATES) as readonly Rate[]; // sound: RATES has the keys of Rate and no others

/** The limits of one scope as the counters take them, those of single models last. */
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

/** The credit of an org as a limit: all that was ever granted, against all that was ever spent. */
export function creditLimit(creditsNanoUsd: number, scope: Scope): Limit {
  return limitOf(scope, {
    meter: "cost",
    max: creditsNanoUsd,
    window: CREDITS,
    mode: "enforce",
  });
}

type LimitParts = Omit<Limit, "scope" | "scopeId" | "scopeKey" | "field">;

/** One literal for every limit: they share a hidden class, and reading them in the inner loops stays fast. */
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

/** The budgets of a scope as a list, however they were written. */
export function budgetsOf(budget: Budget | readonly Budget[] | undefined): readonly Budget[] {
  if (budget === undefined) return [];
  return "usd" in budget ? [budget] : budget;
}

function budgetWindow(reset: BudgetReset, timeZone: string): Window {
  return reset === "never" ? LIFETIME : Object.freeze({ kind: "calendar", name: reset, timeZone });
}

// Strings made once, so that a store that compares them by identity first is right nearly always.
const FIELDS = new Map<string, string>();

function fieldOf(meter: Meter, window: Window, perModel: string | undefined): string {
  const plain = `${meter}/${window.name}`;
  if (perModel !== undefined) return `${plain}/${perModel}`;
  const known = FIELDS.get(plain);
  if (known !== undefined) return known;
  FIELDS.set(plain, plain);
  return plain;
}
