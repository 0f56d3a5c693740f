import * as z from "zod";
import { decimalOf, usdSchema } from "../model/money.js";
import { recordOf, schemaOf } from "../model/validation.js";
import { type OffPeakHours, offPeakHoursFields } from "./off-peak.js";
import type { Rates } from "./rates.js";

/**
 * US dollars, 0 to 9,000,000, with at most 40 decimals: a decimal string, or a number taken by its shortest decimal
 * text.
 */
export type Usd = number | string;

/** The rates of a model, as a person writes them. `PerMillion` means per million tokens. */
export interface RatesInput {
  /** Input tokens that are neither read from nor written to a cache. */
  inputUsdPerMillion?: Usd | undefined;
  /** Output tokens that are not spent on reasoning. */
  outputUsdPerMillion?: Usd | undefined;
  /** Input tokens read from a cache. Default: the input price. */
  cachedInputUsdPerMillion?: Usd | undefined;
  /** Input tokens written to a short-lived cache (minutes). Default: the input price. */
  cacheWriteUsdPerMillion?: Usd | undefined;
  /** Input tokens written to a cache for an hour. Default: the price of a short-lived cache write. */
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
  /** Each image sent, if images are not charged by their tokens. Default: 0. */
  usdPerInputImage?: Usd | undefined;
  /** Each image made, if images are not charged by their tokens. Default: 0. */
  usdPerOutputImage?: Usd | undefined;
  /** Each web search. Default: 0. */
  usdPerSearch?: Usd | undefined;
}

/** Prices for long prompts. A price that is left out is that of the base; if the base has none either, its default. */
export interface TierInput extends RatesInput {
  /** The tier prices the whole call if the prompt, cached tokens included, is longer than this number of tokens. */
  aboveInputTokens: number;
}

/**
 * Prices of a service tier. A price that is left out is the one without the service tier, first from the tier for long
 * prompts.
 */
export interface ServiceTierInput extends RatesInput {
  /** Prices for long prompts in this service tier. */
  tiers?: readonly TierInput[] | undefined;
}

/** Prices during the hours when the provider charges less. They override those of every tier; prices left out stay. */
export interface OffPeakInput extends RatesInput, OffPeakHours {}

/** What a model costs, as a person writes it. An unknown field is an error. */
export interface PriceInput extends RatesInput {
  inputUsdPerMillion: Usd;
  outputUsdPerMillion: Usd;
  /** Prices for long prompts, in any order. The highest threshold that the prompt exceeds applies. */
  tiers?: readonly TierInput[] | undefined;
  /** Prices by service tier, under the provider's name for it, such as `batch`, `flex` or `priority`. */
  serviceTiers?: Readonly<Record<string, ServiceTierInput>> | undefined;
  /** Prices at certain hours. They do not apply to a call whose service tier has prices of its own. */
  offPeak?: OffPeakInput | undefined;
  /** The most tokens that the model can answer with: a whole number, at least 1. The estimator `modelMax` uses it. */
  maxOutputTokens?: number | undefined;
}

/** The rates of one tier, in fractions of a nano-USD: see {@link ModelPrice.denominator}. */
export interface PriceTier {
  /** The tier applies to prompts longer than this. -1 for the base, which every prompt exceeds. */
  readonly aboveInputTokens: number;
  /** INVARIANT: equal to `exact` where that is a safe integer, and above every safe integer where it is not. */
  readonly rates: Rates<number>;
  readonly exact: Rates<bigint>;
}

/** The tiers in ascending order of `aboveInputTokens`. The first is the base. */
export type PriceTiers = readonly [PriceTier, ...PriceTier[]];

/** The compiled price of a model, made by {@link modelPrice} and read by {@link costNanoUsd}. */
export interface ModelPrice {
  /** The id of the catalog's entry that has this price, whatever name found it. */
  readonly entry?: string;
  readonly tiers: PriceTiers;
  /** The tiers of each service tier that has prices of its own. */
  readonly serviceTiers?: ReadonlyMap<string, PriceTiers>;
  readonly offPeak?: { readonly hours: OffPeakHours; readonly tiers: PriceTiers };
  /** A power of ten. Rates divided by it are nano-USD. */
  readonly denominator: number;
  readonly exactDenominator: bigint;
  readonly maxOutputTokens?: number;
}

/**
 * Keeps rates and denominators below 1e60, within the range of a double. The shortest text of a price that went through
 * a division or two has about 25 decimals.
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

/** The zod schema of {@link PriceInput}. A field it does not know is an error. */
export const priceInputSchema: z.ZodType<PriceInput, PriceInput> = schemaOf<PriceInput>()(
  z.strictObject({
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
  }),
);
