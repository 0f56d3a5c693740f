import { scopeKey as keyOf, type Limit, WINDOW_KINDS, type Window } from "../../admission/limit.js";
import { SUB_BUCKETS } from "../../admission/sliding-count.js";

/** Makes the name by which a store keeps something. No two texts have the same name. */
export type NameOf = (text: string) => string;

export interface PlannedScope {
  /** One of the limits of the scope. */
  readonly limit: Limit;
  readonly rows: readonly PlannedRow[];
}

export interface PlannedRow {
  /** Its field in the scope's hash: `=`, or `=` and the pattern of models that all of its counts are about. */
  readonly field: string;
  readonly tag: string;
  readonly counts: readonly PlannedCount[];
}

interface PlannedCount {
  readonly limit: Limit;
  /** Places in the numbers of a call, from 1. 0 for no period. */
  readonly amount: number;
  readonly period: number;
}

const LIFETIME = -1;
const IN_FLIGHT = -2;
const CALENDAR = -3;

/**
 * The kind of a window as a store knows it: for a sliding window the width of its sub-buckets in milliseconds,
 * otherwise one of the numbers above.
 */
export function kindOf(window: Window): number {
  if (window.kind === "sliding") return window.lengthMs / SUB_BUCKETS;
  if (window.kind === "calendar") return CALENDAR;
  return window.kind === "lifetime" ? LIFETIME : IN_FLIGHT;
}

/** The max and the mode of a limit in one number, which is negative in shadow mode. */
export function maxOf({ mode, max }: Limit): number {
  return mode === "enforce" ? max : -1 - max;
}

type CountTuple = [name: string, amount: number, period: number, kind: number, max: number];
type RowTuple = [field: string, tag: string, ...counts: CountTuple[]];

/** Key, kind and id of a scope, or 0 if the name of the scope says all of that. */
type ScopeTuple = 0 | [scopeKey: string, scope: Limit["scope"], scopeId: string];

/** Field, meter, name of the window, its length or time zone, pattern of models, 1 if BYOK counts, thresholds. */
type LimitTuple = [
  field: string,
  meter: Limit["meter"],
  window: Window["name"],
  detail: number | string | 0,
  perModel?: string | 0,
  countByok?: 1 | 0,
  alertAt?: Limit["alertAt"],
];

/**
 * What a call says of its limits, except amounts and periods: two lines of JSON. The store may read the first (Redis
 * does, see `redis/lua/rows.ts`). The second has what only a replay needs to know, if it does not follow from the
 * first.
 *
 * @param places the position of each limit in the request, if they are sent in another order
 */
export function planText(
  scopes: readonly PlannedScope[],
  places: readonly number[] | undefined,
  nameOf: NameOf,
): string {
  const planned = scopes.map(({ limit, rows }) => {
    return [nameOf(limit.scopeKey), ...rows.map((row) => rowTuple(row, nameOf))];
  });
  const counts = scopes.flatMap(({ rows }) => rows.flatMap((row) => row.counts));
  const details = counts.map(({ limit }) => limitTuple(limit, nameOf));
  const rest = [scopes.map((scope) => scopeTuple(scope, nameOf)), details, places ?? 0];
  return `${JSON.stringify(planned)}\n${JSON.stringify(rest)}`;
}

function rowTuple({ field, tag, counts }: PlannedRow, nameOf: NameOf): RowTuple {
  return [field, tag, ...counts.map((count) => countTuple(count, nameOf))];
}

function countTuple({ limit, amount, period }: PlannedCount, nameOf: NameOf): CountTuple {
  return [nameOf(limit.field), amount, period, kindOf(limit.window), maxOf(limit)];
}

function scopeTuple({ limit }: PlannedScope, nameOf: NameOf): ScopeTuple {
  const derived = scopeFrom(nameOf(limit.scopeKey));
  if (
    derived?.scopeKey === limit.scopeKey &&
    derived.scope === limit.scope &&
    derived.scopeId === limit.scopeId
  )
    return 0;
  return [limit.scopeKey, limit.scope, limit.scopeId];
}

/** What a scope's key says about it. */
function scopeFrom(scopeKey: string) {
  if (!scopeKey.startsWith('["')) return undefined;
  try {
    const ids: unknown = JSON.parse(scopeKey);
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === "string")) return undefined;
    const [scope, ...rest] = ids as [Limit["scope"], ...string[]]; // compared before it is relied on
    return { scopeKey: keyOf(scope, rest[0] ?? "", ...rest.slice(1)), scope, scopeId: rest.at(-1) ?? "" };
  } catch {
    return undefined;
  }
}

function limitTuple(limit: Limit, nameOf: NameOf): LimitTuple | 0 {
  const { field, meter, window, perModel, countByok, alertAt } = limit;
  const detail =
    window.kind === "sliding" ? window.lengthMs : window.kind === "calendar" ? window.timeZone : 0;
  const tuple: LimitTuple = [field, meter, window.name, detail];
  if (perModel === undefined && !countByok && !alertAt) {
    const [name, length] = [nameOf(field), kindOf(window) * SUB_BUCKETS];
    const derived = tupleFrom(name, length);
    return derived.every((part, i) => part === tuple[i]) ? 0 : tuple; // both have four parts
  }
  tuple.push(perModel ?? 0, countByok ? 1 : 0);
  if (alertAt) tuple.push(alertAt);
  return tuple;
}

/** What the name of a count says about its limit: `requests/minute`. */
function tupleFrom(field: string, lengthMs: number): LimitTuple {
  // Compared before it is relied on.
  const [meter, name] = field.split("/") as [Limit["meter"], Window["name"]];
  const kind = WINDOW_KINDS[name];
  return [field, meter, name, kind === "sliding" ? lengthMs : kind === "calendar" ? "UTC" : 0];
}

/** Reads a plan: its counts in the order in which they were sent, and their positions in the request. */
export function planFrom(text: string): { counts: PlannedCount[]; places: readonly number[] | undefined } {
  const [first = "", second = ""] = text.split("\n");
  // Sound: planText wrote both.
  const planned = JSON.parse(first) as [string, ...RowTuple[]][];
  const [scopes, details, places] = JSON.parse(second) as [
    ScopeTuple[],
    (LimitTuple | 0)[],
    readonly number[] | 0,
  ];
  const read: PlannedCount[] = [];
  for (const [s, [name, ...rows]] of planned.entries()) {
    const scope = scopeOf(scopes[s] ?? 0, name);
    for (const [, , ...counts] of rows) {
      for (const [field, amount, period, kind, max] of counts) {
        const tuple = details[read.length] || tupleFrom(field, kind * SUB_BUCKETS);
        const mode = max < 0 ? ("shadow" as const) : ("enforce" as const);
        const limit = { ...scope, ...limitFrom(tuple), max: max < 0 ? -1 - max : max, mode };
        read.push({ limit, amount, period });
      }
    }
  }
  return { counts: read, places: places === 0 ? undefined : places };
}

function scopeOf(tuple: ScopeTuple, name: string): Pick<Limit, "scopeKey" | "scope" | "scopeId"> {
  if (tuple !== 0) return { scopeKey: tuple[0], scope: tuple[1], scopeId: tuple[2] };
  const scope = scopeFrom(name);
  if (scope === undefined) throw new Error(`no scope: ${name}`);
  return scope;
}

function limitFrom([field, meter, name, detail, perModel, countByok, alertAt]: LimitTuple) {
  return {
    field,
    meter,
    window: windowFrom(name, detail),
    perModel: perModel === 0 ? undefined : perModel,
    countByok: countByok === 1 ? (true as const) : undefined,
    alertAt,
  };
}

function windowFrom(name: Window["name"], detail: number | string): Window {
  switch (name) {
    case "minute":
    case "day":
      return { kind: "sliding", name, lengthMs: Number(detail) };
    case "daily":
    case "weekly":
    case "monthly":
      return { kind: "calendar", name, timeZone: String(detail) };
    case "in-flight":
      return { kind: "inFlight", name };
    default:
      return { kind: "lifetime", name };
  }
}
