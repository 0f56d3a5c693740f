import { createHash } from "node:crypto";
import type { Charge, Reading } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import { SUB_BUCKETS } from "../../admission/sliding-count.js";
import { ValidationError } from "../../model/errors.js";
import { fromStorableJson, storable, storableJson } from "../../postgres/text.js";

/** An index takes keys of up to 2,704 bytes; two names and what surrounds them stay below that. */
const NAME_MAX = 300;

/** A charge as the functions of the database take it, and as it is kept with its reservation. */
interface WireCharge {
  readonly place: number;
  readonly scope: string;
  readonly field: string;
  readonly amount: number;
  readonly max: number;
  readonly enforced: boolean;
  readonly kind: Limit["window"]["kind"];
  readonly width?: number;
  readonly period?: number;
  readonly period_starts_at?: number;
  readonly period_ends_at?: number;
  /** What of the limit only the caller needs back. */
  readonly limit: Partial<Limit>;
}

/** A reading as the database tells it: null is never. */
export type WireReading = readonly [used: number, waitMs: number | null, resetMs: number | null];

/** The charges of one part of a reservation; `extensions` has one for each. */
export interface WirePart {
  readonly charges: readonly WireCharge[];
}

/** A name as the tables have it: what is long is told apart by its SHA-256. */
export function nameOf(text: string): string {
  const name = storable(text);
  if (name.length <= NAME_MAX) return name;
  const hash = createHash("sha256").update(name).digest("hex");
  return `${storable(text.slice(0, NAME_MAX - 100).toWellFormed())}… sha256 ${hash}`;
}

/** @throws ValidationError where two charges are of the same count */
export function wireCharges(charges: readonly Charge[]): string {
  const counts = new Set<string>();
  const wire = charges.map(({ limit, amount, period }, i): WireCharge => {
    const { scopeKey, field, max, mode, window, ...rest } = limit;
    const scope = nameOf(scopeKey);
    const name = nameOf(field);
    counts.add(`${scope} ${name}`);
    return {
      place: i + 1,
      scope,
      field: name,
      amount,
      max,
      enforced: mode === "enforce",
      kind: window.kind,
      ...(window.kind === "sliding" && { width: window.lengthMs / SUB_BUCKETS }),
      ...(period && {
        period: period.index,
        period_starts_at: period.startsAt,
        period_ends_at: period.endsAt,
      }),
      limit: {
        ...rest,
        window,
        ...(scope !== scopeKey && { scopeKey }),
        ...(name !== field && { field }),
      },
    };
  });
  if (counts.size < charges.length) {
    throw new ValidationError([{ field: "charges", expected: "at most one charge of each count" }]);
  }
  return storableJson(wire);
}

/** Everything that a reservation holds, its extensions added up. */
export function chargesFrom(parts: readonly WirePart[]): Charge[] {
  const [first = [], ...extensions] = parts.map(({ charges }) => charges.map(chargeFrom));
  return extensions.reduce(sum, first);
}

function chargeFrom(wire: WireCharge): Charge {
  const { scope, field, amount, max, enforced, period, period_starts_at, period_ends_at, limit } = wire;
  const mode = enforced ? "enforce" : "shadow";
  // Sound: wireCharges took these fields off and left the others.
  const whole = { scopeKey: scope, field, ...limit, max, mode } as Limit;
  if (period === undefined) return { limit: whole, amount };
  const startsAt = period_starts_at ?? 0;
  return { limit: whole, amount, period: { index: period, startsAt, endsAt: period_ends_at ?? 0 } };
}

/** The charges with what was added to them. */
function sum(charges: readonly Charge[], added: readonly Charge[]): Charge[] {
  const summed = charges.map((charge) => {
    const more = added.find(({ limit }) => sameCount(limit, charge.limit));
    return more ? { ...charge, amount: charge.amount + more.amount } : charge;
  });
  const fresh = added.filter(({ limit }) => !charges.some((charge) => sameCount(charge.limit, limit)));
  return [...summed, ...fresh];
}

export function readingFrom([used, waitMs, resetMs]: WireReading): Reading {
  return {
    used,
    waitMs: waitMs ?? Number.POSITIVE_INFINITY,
    resetMs: resetMs ?? Number.POSITIVE_INFINITY,
  };
}

/** What a function answered: the text of its JSON. */
export function answerFrom(value: unknown): unknown {
  if (typeof value !== "string")
    throw new Error("the functions of the counters answer with the text of JSON");
  return fromStorableJson(value);
}
