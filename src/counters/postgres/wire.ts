import { createHash } from "node:crypto";
import type { Charge, Reading } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import type { Period } from "../../admission/period.js";
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

/**
 * Charges as they are reserved and kept, so that whoever repeats the call gets them back.
 *
 * @throws ValidationError where two charges are of the same count
 */
export function wireCharges(charges: readonly Charge[]): string {
  return wireOf(charges, (limit) => fixedOf(limit).kept);
}

/**
 * What a settle asks for: charges without what only a reservation keeps.
 *
 * @throws ValidationError where two charges are of the same count
 */
export function wireAmounts(charges: readonly Charge[]): string {
  return wireOf(charges, (limit) => fixedOf(limit).asked);
}

/** What a reading asks for; it may ask of one count for several amounts. */
export function wireQuery(charges: readonly Charge[]): string {
  return textOf(charges, (limit) => fixedOf(limit).asked);
}

function wireOf(charges: readonly Charge[], limitText: (limit: Limit) => string): string {
  const counts = new Set(charges.map(({ limit }) => fixedOf(limit).count));
  if (counts.size < charges.length) {
    throw new ValidationError([{ field: "charges", expected: "at most one charge of each count" }]);
  }
  return textOf(charges, limitText);
}

function textOf(charges: readonly Charge[], limitText: (limit: Limit) => string): string {
  const texts = charges.map(({ limit, amount, period }, i) => {
    const place = `{"place":${i + 1},"amount":${amount},`;
    return place + (period ? `${periodText(period)},` : "") + limitText(limit);
  });
  return `[${texts.join(",")}]`;
}

function periodText({ index, startsAt, endsAt }: Period): string {
  return `"period":${index},"period_starts_at":${startsAt},"period_ends_at":${endsAt}`;
}

/** What is the same in every charge against a limit: the name of its count, and its JSON but for the opening brace. */
interface Fixed {
  readonly count: string;
  readonly kept: string;
  readonly asked: string;
}

/** By the limit itself, which many calls share. */
const fixedByLimit = new WeakMap<Limit, Fixed>();

function fixedOf(limit: Limit): Fixed {
  const known = fixedByLimit.get(limit);
  if (known !== undefined) return known;
  const { scopeKey, field, max, mode, window, ...rest } = limit;
  const scope = nameOf(scopeKey);
  const name = nameOf(field);
  const asked = {
    scope,
    field: name,
    max,
    kind: window.kind,
    ...(window.kind === "sliding" && { width: window.lengthMs / SUB_BUCKETS }),
  };
  const kept = {
    ...asked,
    enforced: mode === "enforce",
    limit: { ...rest, window, ...(scope !== scopeKey && { scopeKey }), ...(name !== field && { field }) },
  };
  const fixed = {
    count: `${scope} ${name}`,
    kept: storableJson(kept).slice(1),
    asked: storableJson(asked).slice(1),
  };
  fixedByLimit.set(limit, fixed);
  return fixed;
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
