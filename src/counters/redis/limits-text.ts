import type { Limit, Window } from "../../admission/limit.js";

/**
 * One limit, as short as it can be: field, meter, name of the window, its length or time zone, pattern of models, 1 where
 * BYOK counts, thresholds. Its scope, max and mode are told elsewhere.
 */
type LimitTuple = [
  field: string,
  meter: Limit["meter"],
  window: Window["name"],
  detail: number | string | 0,
  perModel?: string | 0,
  countByok?: 1 | 0,
  alertAt?: Limit["alertAt"],
];

/** The limits of one scope as JSON: its key, kind and id, then each limit. Settles read it too, see `lua/settle.ts`. */
export function limitsText(scopeKey: string, limits: readonly Limit[]): string {
  return JSON.stringify([scopeKey, limits[0]?.scope, limits[0]?.scopeId, ...limits.map(tupleOf)]);
}

function tupleOf({ field, meter, window, perModel, countByok, alertAt }: Limit): LimitTuple {
  const detail =
    window.kind === "sliding" ? window.lengthMs : window.kind === "calendar" ? window.timeZone : 0;
  const tuple: LimitTuple = [field, meter, window.name, detail];
  if (perModel !== undefined || countByok || alertAt) tuple.push(perModel ?? 0, countByok ? 1 : 0);
  if (alertAt) tuple.push(alertAt);
  return tuple;
}

type NamedLimit = Omit<Limit, "max" | "mode">;

/**
 * The limits of several scopes as JSON: what {@link limitsText} made of each, then an object with the place of each limit
 * in the request, where they were not asked for scope by scope.
 */
export function limitTexts(texts: readonly string[], places: readonly number[] | undefined): string {
  return `[${(places ? [...texts, JSON.stringify({ places })] : texts).join(",")}]`;
}

/** The limits, each but for its max and mode, and their places. */
export function limitsFrom(text: string) {
  // Sound: limitTexts wrote it.
  const told = JSON.parse(text) as ([string, Limit["scope"], string, ...LimitTuple[]] | Places)[];
  const limits: NamedLimit[] = [];
  let places: readonly number[] | undefined;
  for (const part of told) {
    if (!Array.isArray(part)) {
      places = part.places;
      continue;
    }
    const [scopeKey, scope, scopeId, ...tuples] = part;
    for (const tuple of tuples) limits.push({ scopeKey, scope, scopeId, ...limitFrom(tuple) });
  }
  return { limits, places };
}

interface Places {
  readonly places: readonly number[];
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
