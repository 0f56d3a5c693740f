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
 * What a call has really used. What is not said stays as it was estimated; an explicit zero is zero. Where nothing is
 * said about tokens, model or cost, the cost stays too; where no price is known, likewise, unless `unpriced` prices it.
 * A model without a price, such as a dated snapshot, has that of the model that was reserved for.
 */
export function actualUse(estimate: Estimate, actual: Actual, { prices, unpriced }: Pricing): Use {
  const inputTokens = actual.inputTokens ?? estimate.inputTokens;
  const outputTokens = actual.outputTokens ?? estimate.outputTokens;
  const use = { requests: 1, inputTokens, outputTokens, slots: 0, byok: estimate.byok };
  if (actual.costUsd !== undefined) return { ...use, costNanoUsd: nanoUsd(actual.costUsd) };
  const model = actual.model ?? estimate.model;
  if (isSilent(actual) || model === undefined) return { ...use, costNanoUsd: estimate.costNanoUsd };
  const price =
    prices.price(model) ?? (estimate.model === undefined ? undefined : prices.price(estimate.model));
  if (price === undefined)
    return { ...use, costNanoUsd: unpriced === "deny" ? estimate.costNanoUsd : unpriced };
  const { cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens, reasoningTokens } = actual;
  const tokens = {
    inputTokens,
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    cacheWrite1hTokens,
    reasoningTokens,
  };
  return { ...use, costNanoUsd: costNanoUsd(price, tokens) };
}

function isSilent(actual: Actual): boolean {
  return actual.inputTokens === undefined && Object.values(actual).every((value) => value === undefined);
}
