import { ValidationError } from "../model/errors.js";
import { nanoUsd } from "../model/money.js";
import type { Usage } from "../model/usage.js";
import type { PriceCatalog } from "../pricing/catalog.js";
import { costNanoUsd } from "../pricing/cost.js";
import type { Use } from "./amounts.js";
import type { Plan } from "./compiled-chain.js";
import type { Estimator } from "./estimate.js";

/** How a gate prices and estimates. */
export interface Pricing {
  readonly prices: PriceCatalog;
  /** Nano-USD for a call without a price, or `deny`. */
  readonly unpriced: "deny" | number;
  readonly estimate: Estimator;
}

/** What a call is expected to use at most, and the models that it may reach for that. */
export interface EstimatedUse extends Use {
  readonly models: readonly string[];
}

/**
 * What to reserve for a call, or `undefined` where a budget applies and no price is known.
 *
 * The cost is that of the dearest model the call may fall back to. A target without a price is no target where `unpriced`
 * is `deny`.
 *
 * @throws ValidationError where a limit counts input tokens and the usage does not say how many
 */
export function estimatedUse(plan: Plan, usage: Usage, pricing: Pricing): EstimatedUse | undefined {
  const inputTokens = usage.inputTokens;
  const model = plan.models[0];
  if (inputTokens === undefined && plan.countsInput && model !== undefined) throw missingInput();
  const byok = usage.byok === true;
  const outputTokens =
    usage.maxOutputTokens ?? (model === undefined ? 0 : estimated(pricing, model, inputTokens));
  const use = { requests: 1, inputTokens: inputTokens ?? 0, outputTokens, slots: 1, byok };
  if (usage.costUsd !== undefined)
    return { ...use, costNanoUsd: nanoUsd(usage.costUsd), models: plan.models };
  const costLimits = byok ? plan.costLimits.filter(({ countByok }) => countByok) : plan.costLimits;
  if (costLimits.length === 0 || model === undefined) return { ...use, costNanoUsd: 0, models: plan.models };

  const deny = pricing.unpriced === "deny" && costLimits.some(({ mode }) => mode === "enforce");
  const models: string[] = [];
  let dearest = 0;
  for (const target of plan.models) {
    const price = pricing.prices.price(target);
    if (price === undefined && deny) continue;
    if (price !== undefined && inputTokens === undefined) throw missingInput();
    const cost = price === undefined ? pricing.unpriced : costNanoUsd(price, use);
    if (cost !== "deny" && cost > dearest) dearest = cost;
    models.push(target);
  }
  return models.length > 0 ? { ...use, costNanoUsd: dearest, models } : undefined;
}

function estimated({ estimate }: Pricing, model: string, inputTokens: number | undefined): number {
  const tokens = estimate({ model, inputTokens });
  if (Number.isSafeInteger(tokens) && tokens >= 0) return tokens;
  throw new ValidationError([
    { field: "options.estimate", expected: "a function that returns a whole number of tokens" },
  ]);
}

function missingInput(): ValidationError {
  return new ValidationError([
    {
      field: "usage.inputTokens",
      expected: "the call's input tokens: a limit that applies to it counts them",
    },
  ]);
}
