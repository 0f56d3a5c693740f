import { ValidationError } from "../model/errors.js";
import { type Decimal, decimalOf } from "../model/money.js";
import { parse } from "../model/validation.js";
import { compile } from "./compile.js";
import { type ModelPrice, type PriceInput, priceInputSchema, type RatesInput } from "./price.js";

/** One model of a price list. */
export interface Entry {
  readonly id: string;
  readonly price: PriceInput;
  /** Other names that find it, where no entry has that name for its id. An earlier entry's go before a later one's. */
  readonly names: readonly string[];
}

/** Compiled prices by every name that finds them. A map, so that no model id is special: not `__proto__`. */
export function pricesByName(entries: readonly Entry[]): ReadonlyMap<string, ModelPrice> {
  const prices = new Map(entries.map(({ id, price }) => [id, compile(price, id)]));
  for (const { id, names } of entries) {
    const price = prices.get(id);
    for (const name of names) if (price !== undefined && !prices.has(name)) prices.set(name, price);
  }
  return prices;
}

/** A price as {@link priceInputSchema} has it: a list of its own form may still write one that is too large. */
export function checkedPrice(price: PriceInput, field: string): PriceInput {
  return parse(priceInputSchema, price, field);
}

type Rate = keyof RatesInput;

/** Prices of parts, and the price of the whole that each has where none is written. */
const PARTS: readonly (readonly [part: Rate, whole: Rate])[] = [
  ["audioInputUsdPerMillion", "inputUsdPerMillion"],
  ["imageInputUsdPerMillion", "inputUsdPerMillion"],
  ["reasoningUsdPerMillion", "outputUsdPerMillion"],
  ["audioOutputUsdPerMillion", "outputUsdPerMillion"],
  ["imageOutputUsdPerMillion", "outputUsdPerMillion"],
];

/**
 * The base rates without those of parts that cost the same as their whole. Lists write such a price twice there, but
 * leave it out where they price the whole anew, for long prompts or a service tier. In those, the part must cost what
 * the whole then costs, and not what was repeated in the base.
 */
export function withoutRepeats(rates: RatesInput): RatesInput {
  const own = { ...rates };
  for (const [part, whole] of PARTS) if (own[part] === own[whole]) delete own[part];
  return own;
}

/** Fields by name of an object from outside, such as a list's JSON. Its own fields alone: `constructor` is no price. */
export type Fields = ReadonlyMap<string, unknown>;

/**
 * @throws ValidationError naming `field` for anything but an object, and for a promise, which would be one without
 *   fields
 */
export function fieldsOf(value: unknown, field: string, expected: string): Fields {
  if (value instanceof Promise) {
    throw new ValidationError([{ field, expected: `${expected}; await it if it is a promise` }]);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return new Map(Object.entries(value));
  throw new ValidationError([{ field, expected }]);
}

/**
 * A price of a list's JSON, times a power of ten, as exact decimal text; undefined where there is none.
 *
 * @throws ValidationError naming `field` for anything but a non-negative finite number
 */
export function priceOf(value: unknown, field: string, shift = 0): string | undefined {
  if (value === undefined) return undefined;
  const decimal = typeof value === "number" ? decimalOf(value) : undefined;
  if (decimal === undefined) {
    throw new ValidationError([{ field, expected: "a non-negative finite number of US dollars" }]);
  }
  return `${decimal.digits}e${shift - decimal.places}`;
}

/** A price that {@link priceOf} gave, so many times. */
export function multiplied(price: string, times: Decimal): string {
  const decimal = decimalOf(price);
  if (decimal === undefined) throw new TypeError("a price that was not read");
  return `${decimal.digits * times.digits}e${-decimal.places - times.places}`;
}

/**
 * A count of tokens; undefined for anything else, which is no error: a list may hold anything there, and no price
 * depends on it.
 */
export function tokensOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/**
 * The tokens that a long prompt exceeds, from where a list says its prices begin. Those of xAI hold from that number on,
 * those of all others above it.
 *
 * @see https://docs.x.ai/docs/models
 */
export function aboveOf(threshold: number, provider: unknown): number {
  return provider === "xai" ? threshold - 1 : threshold;
}

/** The greater of two prices. */
export function dearer(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [x, y] = [decimalOf(a), decimalOf(b)];
  if (x === undefined || y === undefined) return undefined;
  return x.digits * 10n ** BigInt(y.places) >= y.digits * 10n ** BigInt(x.places) ? a : b;
}
