import { nanoUsd } from "../model/money.js";
import { type Actual, type CallParts, inputPartsOf, outputPartsOf, partsOf } from "../model/usage.js";
import { costNanoUsd } from "../pricing/cost.js";
import type { Use } from "./amounts.js";
import type { Charges } from "./charge.js";
import type { Pricing } from "./estimated-use.js";
import { type CostRule, costRule } from "./limit-shape.js";

/** What a settle needs to know of a reservation. */
export interface Estimate {
  readonly model?: string | undefined;
  /** Every permitted target. */
  readonly models: readonly string[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly byok: boolean;
  readonly parts?: CallParts | undefined;
  /** What was charged. Absent if no limit applies. */
  readonly charges?: Pick<Charges, "limits"> | undefined;
  /** `uncounted` if nothing was counted, whatever limits apply. */
  readonly degraded?: "local" | "uncounted" | undefined;
}

/**
 * Works out what a call has really used. What the actual leaves out stays as it was estimated; an explicit zero is
 * zero. An actual that gives the input or output tokens gives all of their parts too.
 *
 * The cost also stays if the actual says nothing about tokens, model or cost, or if no price is known. If there are
 * several permitted targets, one without a price costs what `unpriced` says, provided money is counted, since the
 * estimate is that of the dearest target. Any other name without a price, such as a dated snapshot, is taken for the
 * model reserved for.
 *
 * @param at when it was settled, in epoch milliseconds, for prices that depend on the time of day
 */
export function actualUse(estimate: Estimate, actual: Actual, pricing: Pricing, at: number): Use {
  const used = estimate.parts === undefined ? actual : completed(actual, estimate.parts);
  const inputTokens = Math.max(used.inputTokens ?? estimate.inputTokens, inputPartsOf(used));
  const outputTokens = Math.max(used.outputTokens ?? estimate.outputTokens, outputPartsOf(used));
  const cost = actualCost(estimate, actual, used, inputTokens, outputTokens, pricing, at);
  return { requests: 1, inputTokens, outputTokens, costNanoUsd: cost, slots: 0, byok: estimate.byok };
}

function actualCost(
  estimate: Estimate,
  actual: Actual,
  used: Actual,
  inputTokens: number,
  outputTokens: number,
  { prices, unpriced }: Pricing,
  at: number,
): number {
  if (actual.costUsd !== undefined) return nanoUsd(actual.costUsd);
  const model = actual.model ?? estimate.model;
  if (isSilent(actual) || model === undefined) return estimate.costNanoUsd;
  const own = prices.price(model);
  if (own === undefined && estimate.models.length > 1 && estimate.models.includes(model)) {
    // As it was estimated: nothing if no budget applies.
    const rule = costRuleOf(estimate);
    if (unpriced !== "deny") return rule === "none" ? 0 : unpriced;
    // If one does, the caller said what the call costs.
    if (model === estimate.model && rule !== "enforce") return 0;
  }
  const price = own ?? (estimate.model === undefined ? undefined : prices.price(estimate.model));
  if (price === undefined) return estimate.costNanoUsd;
  const { cachedInputTokens, reasoningTokens } = used;
  const tokens = { inputTokens, outputTokens, cachedInputTokens, reasoningTokens, at };
  const parts = partsOf(used);
  if (parts === undefined) return costNanoUsd(price, tokens);
  const { imageOutputTokens } = actual;
  const counts = { ...tokens, ...parts };
  if (!counts.outputImages || actual.outputImages !== undefined || !imageOutputTokens)
    return costNanoUsd(price, counts);
  // The images were announced, and the provider has counted their tokens. It charges the one or the other, and a price
  // may have both.
  const byImage = { ...counts, outputTokens: outputTokens - imageOutputTokens, imageOutputTokens: 0 };
  return Math.max(costNanoUsd(price, byImage), costNanoUsd(price, { ...counts, outputImages: 0 }));
}

/** What the limits on money do to the call. */
function costRuleOf({ charges, byok, degraded }: Estimate): CostRule {
  if (degraded === "uncounted") return "shadow"; // no limit was asked, and it may be that one counts money
  const limits = charges?.limits ?? [];
  return costRule(limits.filter(({ meter, countByok }) => meter === "cost" && (!byok || countByok)));
}

/** The actual, with the estimated parts wherever it says nothing about them. */
function completed(actual: Actual, parts: CallParts): Actual {
  const used = { ...actual };
  if (actual.inputTokens === undefined) {
    used.cacheWriteTokens ??= parts.cacheWriteTokens;
    used.cacheWrite1hTokens ??= parts.cacheWrite1hTokens;
    used.audioInputTokens ??= parts.audioInputTokens;
    used.imageInputTokens ??= parts.imageInputTokens;
  }
  if (actual.outputTokens === undefined) {
    used.audioOutputTokens ??= parts.audioOutputTokens;
    used.imageOutputTokens ??= parts.imageOutputTokens;
  }
  used.inputImages ??= parts.inputImages;
  used.outputImages ??= parts.outputImages;
  used.searches ??= parts.searches;
  used.serviceTier ??= parts.serviceTier;
  return used;
}

function isSilent(actual: Actual): boolean {
  if (actual.inputTokens !== undefined) return false;
  return Object.entries(actual).every(([field, value]) => value === undefined || field === "disconnected");
}
