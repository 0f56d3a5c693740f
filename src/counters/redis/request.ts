import { createHash } from "node:crypto";
import type { Charge } from "../../admission/charge.js";
import type { Limit } from "../../admission/limit.js";
import type { Period } from "../../admission/period.js";
import { ValidationError } from "../../model/errors.js";
import { type KeyNames, nameOf } from "./key-names.js";
import { limitsText, limitTexts } from "./limits-text.js";
import { Numbers } from "./numbers.js";

const LIFETIME = -1;
const IN_FLIGHT = -2;
const SUB_BUCKETS = 60;

/** The numbers before the charges: the clock and five that each script gives a meaning of its own. */
export type Header = readonly [
  clock: number,
  now: number,
  ttlMs: number,
  recordMs: number,
  leastMs: number,
  mode: number,
];

/** Charges in the form that the scripts take. */
export interface EncodedCharges {
  /** The hash of each scope. */
  readonly keys: readonly string[];
  /** The field of each charge. */
  readonly fields: readonly string[];
  /** The header and the charges. */
  readonly numbers: Buffer;
  /** Tells at the settle whether it is about the limits that were charged, in the same order. */
  readonly digest: string;
  /** JSON of the scopes and fields, for a settle that is about others. */
  readonly names: string;
  /** JSON of the limits, for a replay; see `limits-text.ts`. */
  readonly limits: string;
  /** Whether each charge has a count of its own. */
  readonly isUnique: boolean;
  /** The charges in the order in which they are sent: scope by scope. */
  readonly charges: readonly Charge[];
  /** The place of each of them in the request, where that differs. */
  readonly places: readonly number[] | undefined;
}

/** What does not change about the limits of one scope from call to call. */
interface ScopePart {
  readonly orgId: string;
  readonly limits: readonly Limit[];
  readonly key: string;
  readonly fields: readonly string[];
  readonly digest: string;
  /** JSON of the limits, for a replay. */
  readonly text: string;
  /** JSON of the scope's key and the fields. */
  readonly names: string;
  /** Whether each of the limits has a count of its own. */
  readonly isUnique: boolean;
}

/** Encodes charges. Limits are shared by many calls, so what is known of those of one scope is kept as long as they are. */
export class RequestEncoder {
  readonly #names: KeyNames;
  readonly #parts = new WeakMap<Limit, ScopePart>();

  constructor(names: KeyNames) {
    this.#names = names;
  }

  /**
   * Encodes charges that are to be made.
   *
   * @throws ValidationError where two of them are on the same count: a script would see neither in the other
   */
  encode(orgId: string, given: readonly Charge[], header: Header): EncodedCharges {
    const encoded = this.encodeToRead(orgId, given, header);
    if (!encoded.isUnique) {
      throw new ValidationError([{ field: "charges", expected: "at most one charge of each count" }]);
    }
    return encoded;
  }

  /** Encodes charges to read for; several of them may be on the same count. */
  encodeToRead(orgId: string, given: readonly Charge[], header: Header): EncodedCharges {
    const places = isGrouped(given) ? undefined : groupedPlaces(given);
    // Sound: places are those of `given`.
    const charges = places ? places.map((place) => given[place] as Charge) : given;
    const parts: ScopePart[] = [];
    const keys: string[] = [];
    const fields: string[] = [];
    let digest = "";
    for (let from = 0; from < charges.length; ) {
      const to = endOfScope(charges, from);
      const part = this.#part(orgId, charges, from, to);
      parts.push(part);
      keys.push(part.key);
      for (const field of part.fields) fields.push(field);
      digest += part.digest;
      from = to;
    }
    return {
      keys,
      fields,
      numbers: numbersOf(header, parts, charges),
      digest,
      names: `[${parts.map(({ names }) => names).join(",")}]`,
      limits: limitTexts(
        parts.map(({ text }) => text),
        places,
      ),
      isUnique: parts.every(({ isUnique }) => isUnique),
      charges,
      places,
    };
  }

  #part(orgId: string, charges: readonly Charge[], from: number, to: number): ScopePart {
    const { limit } = charges[from] as Charge; // sound: from is below the length
    const known = this.#parts.get(limit);
    if (known?.orgId === orgId && hasLimits(known, charges, from, to)) return known;
    const limits = charges.slice(from, to).map((charge) => charge.limit);
    const part = partOf(this.#names, orgId, limit.scopeKey, limits);
    this.#parts.set(limit, part);
    return part;
  }
}

function partOf(names: KeyNames, orgId: string, scopeKey: string, limits: readonly Limit[]): ScopePart {
  const fields = limits.map(({ field }) => field);
  const named = JSON.stringify([scopeKey, ...fields]);
  return {
    orgId,
    limits,
    key: names.scope(orgId, scopeKey),
    fields: fields.map(nameOf),
    digest: createHash("sha256").update(named).digest("base64url").slice(0, 16),
    text: limitsText(scopeKey, limits),
    names: named,
    isUnique: new Set(fields).size === fields.length,
  };
}

function hasLimits({ limits }: ScopePart, charges: readonly Charge[], from: number, to: number): boolean {
  if (limits.length !== to - from) return false;
  for (let i = from; i < to; i++) if (charges[i]?.limit !== limits[i - from]) return false;
  return true;
}

/** The header and the charges, as `lua/counting.ts` says. */
function numbersOf(header: Header, parts: readonly ScopePart[], charges: readonly Charge[]): Buffer {
  const start = header.length + 1 + parts.length + 3 * charges.length;
  const numbers = new Numbers(start + 3 * charges.length);
  const periods: Period[] = [];
  for (const number of header) numbers.push(number);
  numbers.push(parts.length);
  for (const { limits } of parts) numbers.push(limits.length);
  for (const { limit, amount, period } of charges) {
    const { max, mode, window } = limit;
    if (window.kind === "calendar") {
      if (period === undefined) throw new Error("a charge against a calendar limit has a period");
      let place = periods.indexOf(period);
      if (place < 0) place = periods.push(period) - 1;
      numbers.push(-(start + 1 + 3 * place));
    } else if (window.kind === "sliding") numbers.push(window.lengthMs / SUB_BUCKETS);
    else numbers.push(window.kind === "lifetime" ? LIFETIME : IN_FLIGHT);
    numbers.push(mode === "enforce" ? max : -1 - max);
    numbers.push(amount);
  }
  for (const { index, startsAt, endsAt } of periods) {
    numbers.push(index);
    numbers.push(startsAt);
    numbers.push(endsAt);
  }
  return numbers.packed();
}

function endOfScope(charges: readonly Charge[], from: number): number {
  const scopeKey = charges[from]?.limit.scopeKey;
  let to = from + 1;
  while (to < charges.length && charges[to]?.limit.scopeKey === scopeKey) to++;
  return to;
}

/** Whether the charges of each scope stand together, as they do but for what a settle adds after a fallback. */
function isGrouped(charges: readonly Charge[]): boolean {
  const seen: string[] = [];
  for (let from = 0; from < charges.length; from = endOfScope(charges, from)) {
    const scopeKey = charges[from]?.limit.scopeKey ?? "";
    if (seen.includes(scopeKey)) return false;
    seen.push(scopeKey);
  }
  return true;
}

/** The places of the charges, scope by scope. */
function groupedPlaces(charges: readonly Charge[]): number[] {
  const byScope = new Map<string, number[]>();
  for (const [place, { limit }] of charges.entries()) {
    const places = byScope.get(limit.scopeKey);
    if (places) places.push(place);
    else byScope.set(limit.scopeKey, [place]);
  }
  return [...byScope.values()].flat();
}
