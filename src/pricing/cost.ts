import type { CallParts } from "../model/usage.js";
import { isOffPeak } from "./off-peak.js";
import type { ModelPrice, PriceTier, PriceTiers } from "./price.js";
import type { Rates } from "./rates.js";

/** The tokens and other items that one call is charged for: non-negative safe integers. A count left out is 0. */
export interface TokenCounts extends Readonly<CallParts> {
  /** The whole prompt, including cached and cache-writing tokens. If its parts add up to more, their sum counts. */
  readonly inputTokens: number;
  /** The part of the input that was read from a cache. It does not overlap with cache writes, audio and images. */
  readonly cachedInputTokens?: number | undefined;
  /** The whole output, including reasoning, audio and images. If its parts add up to more, their sum counts. */
  readonly outputTokens: number;
  /** The part of the output that is reasoning. It does not overlap with audio and images. */
  readonly reasoningTokens?: number | undefined;
  /**
   * When the call is made, in epoch milliseconds, for prices that depend on the time of day. Without it, no hour is
   * off-peak.
   */
  readonly at?: number | undefined;
}

/**
 * Calculates what one call costs, in nano-USD: exactly, and rounded up once.
 *
 * A cost above `Number.MAX_SAFE_INTEGER` (9,007,199 USD) is returned as that number, which is above every limit.
 */
export function costNanoUsd(price: ModelPrice, tokens: TokenCounts): number {
  return cost(price, tiersFor(price, tokens.serviceTier, tokens.at), tokens, false);
}

/**
 * Calculates the most that a call of these tokens can cost, in nano-USD: at any time of the day, whatever part of the
 * input turns out to be read from a cache, and whatever part of the output turns out to be reasoning. `tokens.at` does
 * not matter.
 *
 * Audio and images count as given: they cost more, and the gateway can see them in the request. Tokens announced as
 * cache writes may turn out to be plain input, which some providers price higher (DeepSeek for one), so the dearer rate
 * counts.
 */
export function mostNanoUsd(price: ModelPrice, tokens: TokenCounts): number {
  const tiers = tiersFor(price, tokens.serviceTier, undefined);
  const most = cost(price, tiers, tokens, true);
  if (price.offPeak === undefined || tiers !== price.tiers) return most;
  return Math.max(most, cost(price, price.offPeak.tiers, tokens, true));
}

/** OpenAI has renamed its tier `priority` to `fast` and accepts either name. Anthropic has a tier named `fast` too. */
const FAST = "fast";
const PRIORITY = "priority";

function tiersFor(
  { tiers, serviceTiers, offPeak }: ModelPrice,
  serviceTier: string | undefined,
  at: number | undefined,
): PriceTiers {
  if (serviceTier !== undefined) {
    const own =
      serviceTiers?.get(serviceTier) ?? (serviceTier === FAST ? serviceTiers?.get(PRIORITY) : undefined);
    if (own !== undefined) return own;
  }
  return offPeak !== undefined && at !== undefined && isOffPeak(offPeak.hours, at) ? offPeak.tiers : tiers;
}

/**
 * @param most Whether each token is priced at the most it may turn out to cost: plain input as a cache read, a cache
 *   write as plain input, output as reasoning, each if that is dearer.
 */
function cost(price: ModelPrice, tiers: PriceTiers, tokens: TokenCounts, most: boolean): number {
  const cachedInput = tokens.cachedInputTokens ?? 0;
  const cacheWrite = tokens.cacheWriteTokens ?? 0;
  const cacheWrite1h = tokens.cacheWrite1hTokens ?? 0;
  const audioInput = tokens.audioInputTokens ?? 0;
  const imageInput = tokens.imageInputTokens ?? 0;
  const reasoning = tokens.reasoningTokens ?? 0;
  const audioOutput = tokens.audioOutputTokens ?? 0;
  const imageOutput = tokens.imageOutputTokens ?? 0;
  const inputParts = cachedInput + cacheWrite + cacheWrite1h + audioInput + imageInput;
  const outputParts = reasoning + audioOutput + imageOutput;
  const prompt = Math.max(tokens.inputTokens, inputParts);
  const tier = tierOf(tiers, prompt);
  const { rates } = tier;
  const plainInput = most ? Math.max(rates.input, rates.cachedInput) : rates.input;
  const sum =
    (prompt - inputParts) * plainInput +
    cachedInput * rates.cachedInput +
    cacheWrite * (most ? Math.max(rates.cacheWrite, plainInput) : rates.cacheWrite) +
    cacheWrite1h * (most ? Math.max(rates.cacheWrite1h, plainInput) : rates.cacheWrite1h) +
    audioInput * rates.audioInput +
    imageInput * rates.imageInput +
    (Math.max(tokens.outputTokens, outputParts) - outputParts) *
      (most ? Math.max(rates.output, rates.reasoning) : rates.output) +
    reasoning * rates.reasoning +
    audioOutput * rates.audioOutput +
    imageOutput * rates.imageOutput +
    (tokens.inputImages ?? 0) * rates.inputImages +
    (tokens.outputImages ?? 0) * rates.outputImages +
    (tokens.searches ?? 0) * rates.searches +
    rates.request;
  // INVARIANT: nothing here is negative, and rounding keeps order, so once a term or a partial sum leaves the safe
  // integers, `sum` is outside them too. Inside them `sum` is exact, and the quotient of two safe integers that do
  // not divide never rounds onto an integer below it, so one `ceil` is exact as well.
  return sum <= Number.MAX_SAFE_INTEGER
    ? Math.ceil(sum / price.denominator)
    : exactCost(price, tier, tokens, most);
}

/** The highest tier whose threshold the prompt exceeds. */
function tierOf(tiers: PriceTiers, promptTokens: number): PriceTier {
  let found = tiers[0];
  for (const tier of tiers) if (promptTokens > tier.aboveInputTokens) found = tier;
  return found;
}

type Part = readonly [count: keyof TokenCounts & `${string}Tokens`, rate: keyof Rates<unknown>];

const INPUT_PARTS: readonly Part[] = [
  ["cachedInputTokens", "cachedInput"],
  ["cacheWriteTokens", "cacheWrite"],
  ["cacheWrite1hTokens", "cacheWrite1h"],
  ["audioInputTokens", "audioInput"],
  ["imageInputTokens", "imageInput"],
];

const OUTPUT_PARTS: readonly Part[] = [
  ["reasoningTokens", "reasoning"],
  ["audioOutputTokens", "audioOutput"],
  ["imageOutputTokens", "imageOutput"],
];

/** The same sum in integers of any size. */
function exactCost(price: ModelPrice, tier: PriceTier, tokens: TokenCounts, most: boolean): number {
  const exact = most ? dearest(tier.exact) : tier.exact;
  const sum =
    exactSum(exact, tokens, tokens.inputTokens, exact.input, INPUT_PARTS) +
    exactSum(exact, tokens, tokens.outputTokens, exact.output, OUTPUT_PARTS) +
    BigInt(tokens.inputImages ?? 0) * exact.inputImages +
    BigInt(tokens.outputImages ?? 0) * exact.outputImages +
    BigInt(tokens.searches ?? 0) * exact.searches +
    exact.request;
  const cost = (sum + price.exactDenominator - 1n) / price.exactDenominator;
  return cost <= Number.MAX_SAFE_INTEGER ? Number(cost) : Number.MAX_SAFE_INTEGER;
}

/** The parts at their rates, and the rest of the whole at its own. */
function exactSum(
  exact: Rates<bigint>,
  tokens: TokenCounts,
  whole: number,
  rate: bigint,
  parts: readonly Part[],
): bigint {
  let rest = BigInt(whole);
  let sum = 0n;
  for (const [count, partRate] of parts) {
    const part = BigInt(tokens[count] ?? 0);
    rest -= part;
    sum += part * exact[partRate];
  }
  return rest > 0n ? sum + rest * rate : sum;
}

/** The dearest rate that each part may turn out to have. */
function dearest(exact: Rates<bigint>): Rates<bigint> {
  const input = larger(exact.input, exact.cachedInput);
  return {
    ...exact,
    input,
    cacheWrite: larger(exact.cacheWrite, input),
    cacheWrite1h: larger(exact.cacheWrite1h, input),
    output: larger(exact.output, exact.reasoning),
  };
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
