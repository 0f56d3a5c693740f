import type { ModelPrice, PriceTier } from "./price.js";

/** The tokens of one call: non-negative safe integers. A count left out is 0. */
export interface TokenCounts {
  /** The whole prompt: cached and cache-writing tokens included. Taken as the sum of its parts if those are more. */
  readonly inputTokens: number;
  /** Part of the input, as are both counts of cache writes; the three do not overlap. */
  readonly cachedInputTokens?: number | undefined;
  /** Written to a short-lived cache. */
  readonly cacheWriteTokens?: number | undefined;
  /** Written to a cache of an hour. */
  readonly cacheWrite1hTokens?: number | undefined;
  /** Reasoning included. Taken as the reasoning tokens if those are more. */
  readonly outputTokens: number;
  readonly reasoningTokens?: number | undefined;
}

/**
 * What one call costs, in nano-USD: exact, and rounded up once.
 *
 * More than a safe integer holds (9,007,199 USD) is `Number.MAX_SAFE_INTEGER`, which is above every limit.
 */
export function costNanoUsd(price: ModelPrice, tokens: TokenCounts): number {
  const cachedInput = tokens.cachedInputTokens ?? 0;
  const cacheWrite = tokens.cacheWriteTokens ?? 0;
  const cacheWrite1h = tokens.cacheWrite1hTokens ?? 0;
  const reasoning = tokens.reasoningTokens ?? 0;
  const parts = cachedInput + cacheWrite + cacheWrite1h;
  const prompt = Math.max(tokens.inputTokens, parts);
  const tier = tierOf(price, prompt);
  const { rates } = tier;
  const sum =
    (prompt - parts) * rates.input +
    cachedInput * rates.cachedInput +
    cacheWrite * rates.cacheWrite +
    cacheWrite1h * rates.cacheWrite1h +
    (Math.max(tokens.outputTokens, reasoning) - reasoning) * rates.output +
    reasoning * rates.reasoning +
    rates.request;
  // INVARIANT: nothing here is negative, and rounding keeps order, so once a term or a partial sum leaves the safe
  // integers, `sum` is outside them too. Inside them `sum` is exact, and the quotient of two safe integers that do
  // not divide never rounds onto an integer below it, so one `ceil` is exact as well.
  return sum <= Number.MAX_SAFE_INTEGER ? Math.ceil(sum / price.denominator) : exactCost(price, tier, tokens);
}

/** The highest tier that the prompt exceeds. */
function tierOf(price: ModelPrice, promptTokens: number): PriceTier {
  let found = price.tiers[0];
  for (const tier of price.tiers) if (promptTokens > tier.aboveInputTokens) found = tier;
  return found;
}

/** The same sum in integers of any size. */
function exactCost(price: ModelPrice, { exact }: PriceTier, tokens: TokenCounts): number {
  const cachedInput = BigInt(tokens.cachedInputTokens ?? 0);
  const cacheWrite = BigInt(tokens.cacheWriteTokens ?? 0);
  const cacheWrite1h = BigInt(tokens.cacheWrite1hTokens ?? 0);
  const reasoning = BigInt(tokens.reasoningTokens ?? 0);
  const sum =
    atLeastZero(BigInt(tokens.inputTokens) - cachedInput - cacheWrite - cacheWrite1h) * exact.input +
    cachedInput * exact.cachedInput +
    cacheWrite * exact.cacheWrite +
    cacheWrite1h * exact.cacheWrite1h +
    atLeastZero(BigInt(tokens.outputTokens) - reasoning) * exact.output +
    reasoning * exact.reasoning +
    exact.request;
  const cost = (sum + price.exactDenominator - 1n) / price.exactDenominator;
  return cost <= Number.MAX_SAFE_INTEGER ? Number(cost) : Number.MAX_SAFE_INTEGER;
}

function atLeastZero(value: bigint): bigint {
  return value > 0n ? value : 0n;
}
