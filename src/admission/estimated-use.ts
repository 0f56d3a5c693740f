import { ValidationError } from "../model/errors.js";
import { nanoUsd } from "../model/money.js";
import { type CallParts, inputPartsOf, outputPartsOf, partsOf, type Usage } from "../model/usage.js";
import type { PriceCatalog } from "../pricing/catalog.js";
import { mostNanoUsd } from "../pricing/cost.js";
import type { ModelPrice } from "../pricing/price.js";
import type { Use } from "./amounts.js";
import type { Charges } from "./charge.js";
import type { Estimator } from "./estimate.js";
import type { Limit } from "./limit.js";
import type { Plan } from "./plan.js";

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
  /** What of the call is priced apart, as far as it is known. */
  readonly parts: CallParts | undefined;
  /** Whether budgets in shadow mode would have refused the call, as the price of none of its models is known. */
  readonly lacksPrice: boolean;
}

/**
 * What to reserve for a call, or `undefined` where a budget applies and no price is known.
 *
 * The cost is the most of the dearest model the call may fall back to: see {@link mostNanoUsd}. A target without a price is no
 * target where `unpriced` is `deny` and a budget applies.
 *
 * @throws ValidationError where an enforced limit counts input tokens and the usage does not say how many
 */
export function estimatedUse(plan: Plan, usage: Usage, pricing: Pricing): EstimatedUse | undefined {
  return ordinaryUse(plan, usage, pricing) ?? anyUse(plan, usage, pricing);
}

/**
 * Of a call to one model with a price, which says its tokens and nothing that is priced apart. Nearly every call is one; as any other
 * it would take 6 % longer from `admit` to `settle`.
 */
function ordinaryUse(plan: Plan, usage: Usage, { prices }: Pricing): EstimatedUse | undefined {
  const { model, inputTokens, maxOutputTokens: outputTokens } = usage;
  if (model === undefined || inputTokens === undefined || outputTokens === undefined) return undefined;
  if (plan.models !== undefined || usage.costUsd !== undefined || partsOf(usage) !== undefined)
    return undefined;
  const price = prices.price(model);
  if (price === undefined) return undefined;
  const cost = mostNanoUsd(price, { inputTokens, outputTokens });
  const byok = usage.byok === true;
  return {
    requests: 1,
    inputTokens,
    outputTokens,
    costNanoUsd: cost,
    slots: 1,
    byok,
    models: [model],
    parts: undefined,
    lacksPrice: false,
  };
}

/** The same of any call: of several targets, without tokens, or with something that is priced apart. */
function anyUse(plan: Plan, usage: Usage, pricing: Pricing): EstimatedUse | undefined {
  let models = plan.models ?? (usage.model === undefined ? [] : [usage.model]);
  if (usage.inputTokens === undefined && plan.shape.needsInput && models.length > 0) throw missingInput();
  const byok = usage.byok === true;
  const parts = partsOf(usage);

  const rule = byok ? plan.shape.byokCost : plan.shape.cost;
  let prices = NO_PRICES;
  let lacksPrice = false;
  if (usage.costUsd === undefined && models.length > 0) {
    prices = models.map((target) => pricing.prices.price(target));
    // Without a budget it is priced all the same, for the ledger and whoever watches the pace of spending.
    if (rule === "enforce") {
      if (pricing.unpriced === "deny" && prices.includes(undefined)) {
        models = models.filter((_, i) => prices[i] !== undefined);
        if (models.length === 0) return undefined;
      }
      const isPriced = prices.some((price) => price !== undefined);
      if (isPriced && usage.inputTokens === undefined) throw missingInput();
    }
    lacksPrice =
      rule === "shadow" && pricing.unpriced === "deny" && prices.every((price) => price === undefined);
  }
  // As a settle counts them: the parts may not be counted in the whole.
  const inputTokens = Math.max(usage.inputTokens ?? 0, inputPartsOf(usage));
  const outputTokens = Math.max(
    usage.maxOutputTokens ?? mostEstimated(pricing, models, usage.inputTokens),
    outputPartsOf(usage),
  );
  const cost =
    usage.costUsd === undefined
      ? dearestCost(prices, inputTokens, outputTokens, parts, rule === "none" ? "deny" : pricing.unpriced)
      : nanoUsd(usage.costUsd);
  return {
    requests: 1,
    inputTokens,
    outputTokens,
    costNanoUsd: cost,
    slots: 1,
    byok,
    models,
    parts,
    lacksPrice,
  };
}

const NO_PRICES: readonly (ModelPrice | undefined)[] = Object.freeze([]);

/**
 * The estimate of a call that was given the reservation of an earlier one: what that reservation holds, extensions included, as
 * far as a limit counts it. The call's own estimate may be lower, or come from another estimator.
 */
export function heldUse({ limits, amounts }: Charges, use: EstimatedUse): EstimatedUse {
  const held = (meter: Limit["meter"]) => {
    const known = limits.flatMap((limit, i) => {
      const isCounted = limit.meter === meter && !(meter === "cost" && use.byok && !limit.countByok);
      return isCounted ? [amounts[i] ?? 0] : [];
    });
    return known.length > 0 ? Math.max(...known) : undefined;
  };
  const inputTokens = held("inputTokens") ?? use.inputTokens;
  const tokens = held("tokens");
  const outputTokens =
    held("outputTokens") ?? (tokens === undefined ? use.outputTokens : Math.max(0, tokens - inputTokens));
  return { ...use, inputTokens, outputTokens, costNanoUsd: held("cost") ?? use.costNanoUsd };
}

/** What the dearest of the models would cost at most, in nano-USD; one without a price costs what `unpriced` says. */
export function dearestCost(
  prices: readonly (ModelPrice | undefined)[],
  inputTokens: number,
  outputTokens: number,
  parts: CallParts | undefined,
  unpriced: Pricing["unpriced"],
): number {
  const tokens =
    parts === undefined ? { inputTokens, outputTokens } : { inputTokens, outputTokens, ...parts };
  let most = 0;
  for (const price of prices) {
    const otherwise = unpriced === "deny" ? 0 : unpriced;
    const cost = price === undefined ? otherwise : mostNanoUsd(price, tokens);
    if (cost > most) most = cost;
  }
  return most;
}

/** The most that any of the models is expected to put out. */
function mostEstimated(
  { estimate }: Pricing,
  models: readonly string[],
  inputTokens: number | undefined,
): number {
  let most = 0;
  for (const model of models) {
    const tokens = estimate({ model, inputTokens });
    if (!(Number.isSafeInteger(tokens) && tokens >= 0)) {
      throw new ValidationError([
        { field: "options.estimate", expected: "a function that returns a whole number of tokens" },
      ]);
    }
    most = Math.max(most, tokens);
  }
  return most;
}

function missingInput(): ValidationError {
  return new ValidationError([
    {
      field: "usage.inputTokens",
      expected: "the call's input tokens: a limit that applies to it counts them",
    },
  ]);
}
