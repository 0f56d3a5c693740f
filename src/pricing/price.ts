import { z } from "zod";
import { type Decimal, decimalOf, usdSchema } from "../model/money.js";
import { parse } from "../model/validation.js";

/** US dollars, 0 to 9,000,000, with at most 40 decimals: a number, taken by its shortest decimal text, or a decimal string. */
export type Usd = number | string;

/** What the tokens of a call cost, as a person writes it. `PerMillion` is per million tokens. */
export interface RatesInput {
  /** Input tokens that are neither read from nor written to a cache. */
  inputUsdPerMillion?: Usd | undefined;
  /** Output tokens not spent on reasoning. */
  outputUsdPerMillion?: Usd | undefined;
  /** Input tokens read from a cache. Default: the input price. */
  cachedInputUsdPerMillion?: Usd | undefined;
  /** Input tokens written to a short-lived cache. Default: the input price. */
  cacheWriteUsdPerMillion?: Usd | undefined;
  /** Input tokens written to a cache of an hour. Default: the price of a short-lived cache write. */
  cacheWrite1hUsdPerMillion?: Usd | undefined;
  /** Output tokens spent on reasoning. Default: the output price. */
  reasoningUsdPerMillion?: Usd | undefined;
  /** Charged once per call. Default: 0. */
  usdPerRequest?: Usd | undefined;
}

/** Prices for a long prompt. A price left out is the one written for the base; where neither is written, the default. */
export interface TierInput extends RatesInput {
  /** The tier prices the whole call when the prompt, cached tokens included, is longer than this. */
  aboveInputTokens: number;
}

/** What a model costs, as a person writes it. */
export interface PriceInput extends RatesInput {
  inputUsdPerMillion: Usd;
  outputUsdPerMillion: Usd;
  /** In any order; the highest that the prompt exceeds applies. */
  tiers?: readonly TierInput[] | undefined;
  /** The most tokens the model answers with. */
  maxOutputTokens?: number | undefined;
}

/** Something for each kind of token, and for the call. */
export interface Rates<T> {
  readonly input: T;
  readonly cachedInput: T;
  readonly cacheWrite: T;
  readonly cacheWrite1h: T;
  readonly output: T;
  readonly reasoning: T;
  readonly request: T;
}

/** The rates of one tier, in parts of a nano-USD: {@link ModelPrice.denominator} says how small. */
export interface PriceTier {
  /** -1 for the base, which every prompt exceeds. */
  readonly aboveInputTokens: number;
  /** INVARIANT: equal to `exact` where that is a safe integer, and above every safe integer where it is not. */
  readonly rates: Rates<number>;
  readonly exact: Rates<bigint>;
}

/** What a model costs, compiled by {@link modelPrice}; {@link costNanoUsd} reads it. */
export interface ModelPrice {
  /** Ascending in `aboveInputTokens`; the first is the base. */
  readonly tiers: readonly [PriceTier, ...PriceTier[]];
  /** Rates divided by this are nano-USD: a power of ten. */
  readonly denominator: number;
  readonly exactDenominator: bigint;
  readonly maxOutputTokens?: number;
}

/**
 * Keeps rates and denominators below 1e60, where `Number` of them is finite. Shortest texts of prices that went
 * through a division or two have some 25 decimals.
 */
const MAX_PRICE_DECIMALS = 40;

const price = usdSchema.refine((usd) => (decimalOf(usd)?.places ?? 0) <= MAX_PRICE_DECIMALS, {
  message: `a price with at most ${MAX_PRICE_DECIMALS} decimals`,
});

const optionalRates = {
  cachedInputUsdPerMillion: price.optional(),
  cacheWriteUsdPerMillion: price.optional(),
  cacheWrite1hUsdPerMillion: price.optional(),
  reasoningUsdPerMillion: price.optional(),
  usdPerRequest: price.optional(),
};

const tier = z.strictObject({
  aboveInputTokens: z.int("a whole number of tokens").nonnegative("a whole number of tokens, not negative"),
  inputUsdPerMillion: price.optional(),
  outputUsdPerMillion: price.optional(),
  ...optionalRates,
});

/** {@link PriceInput}; a field it does not know is refused. */
export const priceInputSchema: z.ZodType<PriceInput, PriceInput> = z.strictObject({
  inputUsdPerMillion: price,
  outputUsdPerMillion: price,
  ...optionalRates,
  tiers: z
    .array(tier)
    .refine(
      (tiers) => new Set(tiers.map(({ aboveInputTokens }) => aboveInputTokens)).size === tiers.length,
      "tiers that differ in aboveInputTokens",
    )
    .optional(),
  maxOutputTokens: z
    .int("a whole number of tokens")
    .positive("a whole number of tokens, at least 1")
    .optional(),
});

/**
 * Compiles what a model costs.
 *
 * @param field What an error calls the input.
 * @throws ValidationError naming each field that is wrong or not known.
 */
export function modelPrice(input: PriceInput, field = "price"): ModelPrice {
  return compile(parse(priceInputSchema, input, field));
}

/** As {@link modelPrice}, for input that {@link priceInputSchema} has passed. */
export function compile(input: PriceInput): ModelPrice {
  const base = nanoUsdRates(input, input);
  const longer = [...(input.tiers ?? [])]
    .sort((a, b) => a.aboveInputTokens - b.aboveInputTokens)
    .map((tier) => ({ aboveInputTokens: tier.aboveInputTokens, rates: nanoUsdRates(tier, input) }));
  const places = Math.max(0, ...[base, ...longer.map(({ rates }) => rates)].map(mostPlaces));
  const exactDenominator = 10n ** BigInt(places);
  return {
    tiers: [
      priceTier(-1, base, places),
      ...longer.map(({ aboveInputTokens, rates }) => priceTier(aboveInputTokens, rates, places)),
    ],
    denominator: Number(exactDenominator),
    exactDenominator,
    ...(input.maxOutputTokens !== undefined && { maxOutputTokens: input.maxOutputTokens }),
  };
}

/** Nano-USD per token and per call. Each price is the tier's, else the base's, else its default. */
function nanoUsdRates(tier: RatesInput, base: PriceInput): Rates<Decimal> {
  const input = tier.inputUsdPerMillion ?? base.inputUsdPerMillion;
  const output = tier.outputUsdPerMillion ?? base.outputUsdPerMillion;
  const cacheWrite = tier.cacheWriteUsdPerMillion ?? base.cacheWriteUsdPerMillion ?? input;
  return {
    input: perToken(input),
    cachedInput: perToken(tier.cachedInputUsdPerMillion ?? base.cachedInputUsdPerMillion ?? input),
    cacheWrite: perToken(cacheWrite),
    cacheWrite1h: perToken(tier.cacheWrite1hUsdPerMillion ?? base.cacheWrite1hUsdPerMillion ?? cacheWrite),
    output: perToken(output),
    reasoning: perToken(tier.reasoningUsdPerMillion ?? base.reasoningUsdPerMillion ?? output),
    request: nanoUsdOf(tier.usdPerRequest ?? base.usdPerRequest ?? 0, 9),
  };
}

/** A US dollar per million tokens is a thousand nano-USD per token. */
function perToken(usdPerMillion: Usd): Decimal {
  return nanoUsdOf(usdPerMillion, 3);
}

/** `usd * 10 ** shift`. */
function nanoUsdOf(usd: Usd, shift: number): Decimal {
  const decimal = decimalOf(usd);
  if (decimal === undefined) throw new TypeError("a price that its schema has not passed");
  const places = decimal.places - shift;
  return places >= 0
    ? { digits: decimal.digits, places }
    : { digits: decimal.digits * 10n ** BigInt(-places), places: 0 };
}

function mostPlaces(rates: Rates<Decimal>): number {
  return Math.max(...Object.values<Decimal>({ ...rates }).map(({ places }) => places));
}

function priceTier(aboveInputTokens: number, rates: Rates<Decimal>, places: number): PriceTier {
  const exact = mapRates(rates, (rate) => rate.digits * 10n ** BigInt(places - rate.places));
  return { aboveInputTokens, rates: mapRates(exact, Number), exact };
}

function mapRates<T, U>(rates: Rates<T>, map: (rate: T) => U): Rates<U> {
  return {
    input: map(rates.input),
    cachedInput: map(rates.cachedInput),
    cacheWrite: map(rates.cacheWrite),
    cacheWrite1h: map(rates.cacheWrite1h),
    output: map(rates.output),
    reasoning: map(rates.reasoning),
    request: map(rates.request),
  };
}
