import fc from "fast-check";
import type { TokenCounts } from "../../src/pricing/cost.js";
import type { PriceInput } from "../../src/pricing/price.js";

/** Prices as catalogs write them, and some that none would: many decimals, very small, very large. */
const usd: fc.Arbitrary<number | string> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(100_000).map((cents) => cents / 1_000) },
  { weight: 2, arbitrary: fc.constantFrom(0, "0", 0.15, "0.0375", 2.5e-9, "3.625e-9", 15, 2_000_000) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(999), fc.stringMatching(/^\d{1,38}$/)).map(([a, b]) => `${a}.${b}`),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(9_999), fc.integer({ min: 0, max: 30 })).map(([a, b]) => `${a}e-${b}`),
  },
  { weight: 1, arbitrary: fc.nat(9_000_000) },
);

const optionalRates = {
  cachedInputUsdPerMillion: usd,
  cacheWriteUsdPerMillion: usd,
  cacheWrite1hUsdPerMillion: usd,
  reasoningUsdPerMillion: usd,
  audioInputUsdPerMillion: usd,
  imageInputUsdPerMillion: usd,
  audioOutputUsdPerMillion: usd,
  imageOutputUsdPerMillion: usd,
  usdPerInputImage: usd,
  usdPerOutputImage: usd,
  usdPerSearch: usd,
  usdPerRequest: usd,
};

const aboveInputTokens = fc.oneof(fc.nat(20), fc.nat(1_000_000));

const tiers = fc.uniqueArray(
  fc.record(
    { aboveInputTokens, inputUsdPerMillion: usd, outputUsdPerMillion: usd, ...optionalRates },
    { requiredKeys: ["aboveInputTokens"] },
  ),
  { maxLength: 3, selector: (tier) => tier.aboveInputTokens },
);

export const priceInputsWithoutTiers: fc.Arbitrary<PriceInput> = fc.record(
  { inputUsdPerMillion: usd, outputUsdPerMillion: usd, ...optionalRates },
  { requiredKeys: ["inputUsdPerMillion", "outputUsdPerMillion"] },
);

export const priceInputs: fc.Arbitrary<PriceInput> = fc
  .tuple(priceInputsWithoutTiers, tiers)
  .map(([base, tiers]) => ({ ...base, tiers }));

const count = fc.oneof(
  { weight: 3, arbitrary: fc.nat(30) },
  { weight: 6, arbitrary: fc.nat(2_000_000) },
  { weight: 1, arbitrary: fc.nat(Number.MAX_SAFE_INTEGER) },
);

/** Counts alone, parts of their whole or not. */
export const tokenCounts: fc.Arbitrary<TokenCounts> = fc.record(
  {
    inputTokens: count,
    outputTokens: count,
    cachedInputTokens: count,
    cacheWriteTokens: count,
    cacheWrite1hTokens: count,
    audioInputTokens: count,
    imageInputTokens: count,
    reasoningTokens: count,
    audioOutputTokens: count,
    imageOutputTokens: count,
    inputImages: count,
    outputImages: count,
    searches: count,
  },
  { requiredKeys: ["inputTokens", "outputTokens"] },
);
