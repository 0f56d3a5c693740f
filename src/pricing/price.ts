import * as z from "zod";
import { decimalOf, usdSchema } from "../model/money.js";
import { recordOf } from "../model/validation.js";
import { type OffPeakHours, offPeakHoursFields } from "./off-peak.js";
import type { Rates } from "./rates.js";

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
  /** Input tokens that are audio. Default: the input price. */
  audioInputUsdPerMillion?: Usd | undefined;
  /** Input tokens that are images. Default: the input price. */
  imageInputUsdPerMillion?: Usd | undefined;
  /** Output tokens spent on reasoning. Default: the output price. */
  reasoningUsdPerMillion?: Usd | undefined;
  /** Output tokens that are audio. Default: the output price. */
  audioOutputUsdPerMillion?: Usd | undefined;
  /** Output tokens that are images. Default: the output price. */
  imageOutputUsdPerMillion?: Usd | undefined;
  /** Charged once per call. Default: 0. */
  usdPerRequest?: Usd | undefined;
  /** An image sent, where images are not charged by their tokens. Default: 0. */
  usdPerInputImage?: Usd | undefined;
  /** An image made, where images are not charged by their tokens. Default: 0. */
  usdPerOutputImage?: Usd | undefined;
  /** A search of the web. Default: 0. */
  usdPerSearch?: Usd | undefined;
}

/** Prices for a long prompt. A price left out is the one written for the base; where neither is written, the default. */
export interface TierInput extends RatesInput {
  /** The tier prices the whole call when the prompt, cached tokens included, is longer than this. */
  aboveInputTokens: number;
}

/** Prices of a service tier. What is left out is as it is without the tier: of the tier of a long prompt first. */
export interface ServiceTierInput extends RatesInput {
  tiers?: readonly TierInput[] | undefined;
}

/** Prices in the hours at which the provider charges less, over those of every tier. What is left out stays. */
export interface OffPeakInput extends RatesInput, OffPeakHours {}

/** What a model costs, as a person writes it. */
export interface PriceInput extends RatesInput {
  inputUsdPerMillion: Usd;
  outputUsdPerMillion: Usd;
  /** In any order; the highest that the prompt exceeds applies. */
  tiers?: readonly TierInput[] | undefined;
  /** By the provider's name of the service tier, such as `batch`, `flex` and `priority`. */
  serviceTiers?: Readonly<Record<string, ServiceTierInput>> | undefined;
  /** For calls without a service tier that has prices of its own. */
  offPeak?: OffPeakInput | undefined;
  /** The most tokens the model answers with. */
  maxOutputTokens?: number | undefined;
}

/** The rates of one tier, in parts of a nano-USD: {@link ModelPrice.denominator} says how small. */
export interface PriceTier {
  /** -1 for the base, which every prompt exceeds. */
  readonly aboveInputTokens: number;
  /** INVARIANT: equal to `exact` where that is a safe integer, and above every safe integer where it is not. */
  readonly rates: Rates<number>;
  readonly exact: Rates<bigint>;
}

/** Ascending in `aboveInputTokens`; the first is the base. */
export type PriceTiers = readonly [PriceTier, ...PriceTier[]];

/** What a model costs, compiled by {@link modelPrice}; {@link costNanoUsd} reads it. */
export interface ModelPrice {
  /** The id of the entry of the catalog that this price is written in, whatever name found it. */
  readonly entry?: string;
  readonly tiers: PriceTiers;
  /** By service tier, where that has prices of its own. */
  readonly serviceTiers?: ReadonlyMap<string, PriceTiers>;
  readonly offPeak?: { readonly hours: OffPeakHours; readonly tiers: PriceTiers };
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

const ratesFields = {
  inputUsdPerMillion: price.optional(),
  outputUsdPerMillion: price.optional(),
  cachedInputUsdPerMillion: price.optional(),
  cacheWriteUsdPerMillion: price.optional(),
  cacheWrite1hUsdPerMillion: price.optional(),
  audioInputUsdPerMillion: price.optional(),
  imageInputUsdPerMillion: price.optional(),
  reasoningUsdPerMillion: price.optional(),
  audioOutputUsdPerMillion: price.optional(),
  imageOutputUsdPerMillion: price.optional(),
  usdPerRequest: price.optional(),
  usdPerInputImage: price.optional(),
  usdPerOutputImage: price.optional(),
  usdPerSearch: price.optional(),
};

const tier = z.strictObject({
  aboveInputTokens: z.int("a whole number of tokens").nonnegative("a whole number of tokens, not negative"),
  ...ratesFields,
});

const tiers = z
  .array(tier)
  .refine(
    (tiers) => new Set(tiers.map(({ aboveInputTokens }) => aboveInputTokens)).size === tiers.length,
    "tiers that differ in aboveInputTokens",
  )
  .optional();

/** {@link PriceInput}; a field it does not know is refused. */
export const priceInputSchema: z.ZodType<PriceInput, PriceInput> = z.strictObject({
  ...ratesFields,
  inputUsdPerMillion: price,
  outputUsdPerMillion: price,
  tiers,
  serviceTiers: recordOf(z.string(), z.strictObject({ ...ratesFields, tiers })).optional(),
  offPeak: z.strictObject({ ...ratesFields, ...offPeakHoursFields }).optional(),
  maxOutputTokens: z
    .int("a whole number of tokens")
    .positive("a whole number of tokens, at least 1")
    .optional(),
}) as z.ZodType<PriceInput, PriceInput>; // Sound: `recordOf` takes unknown, so that it can refuse `__proto__`; the rest is as inferred.
