import fc from "fast-check";
import type { TokenCounts } from "../../src/pricing/cost.js";
import type { PriceInput } from "../../src/pricing/price.js";

/** Prices as catalogs write them. A sum of such is a safe integer. */
const ordinaryUsd: fc.Arbitrary<number | string> = fc.nat(100_000).map((cents) => cents / 1_000);

/** Prices that no catalog would write, too: many decimals, very small, very large. */
const anyUsd: fc.Arbitrary<number | string> = fc.oneof(
  { weight: 4, arbitrary: ordinaryUsd },
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

const aboveInputTokens = fc.oneof(fc.nat(20), fc.nat(1_000_000));

function pricesOf(usd: fc.Arbitrary<number | string>, tiers: { readonly max: number }) {
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
  const base = fc.record(
    { inputUsdPerMillion: usd, outputUsdPerMillion: usd, ...optionalRates },
    { requiredKeys: ["inputUsdPerMillion", "outputUsdPerMillion"] },
  );
  const tier = fc.record(
    { aboveInputTokens, inputUsdPerMillion: usd, outputUsdPerMillion: usd, ...optionalRates },
    { requiredKeys: ["aboveInputTokens"] },
  );
  const longer = fc.uniqueArray(tier, {
    maxLength: tiers.max,
    selector: ({ aboveInputTokens }) => aboveInputTokens,
  });
  return fc.tuple(base, longer).map(([base, tiers]): PriceInput => ({ ...base, tiers }));
}

/** Either kind: one odd price among many is enough for a sum that only integers of any size hold. */
const eitherPrices = (tiers: { readonly max: number }): fc.Arbitrary<PriceInput> =>
  fc.oneof(pricesOf(ordinaryUsd, tiers), pricesOf(anyUsd, tiers));

export const priceInputsWithoutTiers = eitherPrices({ max: 0 });

export const priceInputs = eitherPrices({ max: 3 });

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
