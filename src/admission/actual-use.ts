import { nanoUsd } from "../model/money.js";
import type { Actual } from "../model/usage.js";
import { costNanoUsd } from "../pricing/cost.js";
import type { Use } from "./amounts.js";
import type { Pricing } from "./estimated-use.js";

/** What of a reservation a settle has to know. */
export interface Estimate {
  readonly model?: string | undefined;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly byok: boolean;
}

/**
 * What a call has really used. What is not said stays as it was estimated; an explicit zero is zero. The cost stays too
 * where nothing is said about tokens, model or cost, and where no price is known. A model without a price, such as a dated
 * snapshot, has that of the model that was reserved for.
 */
export function actualUse(estimate: Estimate, actual: Actual, pricing: Pricing): Use {
  const inputTokens = Math.max(actual.inputTokens ?? estimate.inputTokens, cacheTokensOf(actual));
  const outputTokens = actual.outputTokens ?? estimate.outputTokens;
  const cost = actualCost(estimate, actual, inputTokens, outputTokens, pricing);
  return { requests: 1, inputTokens, outputTokens, costNanoUsd: cost, slots: 0, byok: estimate.byok };
}

function actualCost(
  estimate: Estimate,
  actual: Actual,
  inputTokens: number,
  outputTokens: number,
  { prices }: Pricing,
): number {
  if (actual.costUsd !== undefined) return nanoUsd(actual.costUsd);
  const model = actual.model ?? estimate.model;
  if (isSilent(actual) || model === undefined) return estimate.costNanoUsd;
  const price =
    prices.price(model) ?? (estimate.model === undefined ? undefined : prices.price(estimate.model));
  if (price === undefined) return estimate.costNanoUsd;
  const { cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens, reasoningTokens } = actual;
  return costNanoUsd(price, {
    inputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens,
    outputTokens,
    reasoningTokens,
  });
}

/** What of the input is said to be cached or cache-writing. Whoever counts it besides the input has more of that. */
function cacheTokensOf({
  cachedInputTokens = 0,
  cacheWriteTokens = 0,
  cacheWrite1hTokens = 0,
}: Actual): number {
  return cachedInputTokens + cacheWriteTokens + cacheWrite1hTokens;
}

function isSilent(actual: Actual): boolean {
  return actual.inputTokens === undefined && Object.values(actual).every((value) => value === undefined);
}
