import type { PriceCatalog } from "../pricing/catalog.js";

/** What is known of a call that does not say how many output tokens it asks for. */
export interface EstimatorInput {
  /** One of the models that the call may reach. */
  readonly model: string;
  /** The input tokens of the call, if they are known. */
  readonly inputTokens: number | undefined;
}

/** Decides how many output tokens to reserve for a call without `maxOutputTokens`: a whole number, zero or more. */
export type Estimator = (call: EstimatorInput) => number;

/** An estimator that always answers the same number of output tokens. A gate's default is `fixed(1024)`. */
export function fixed(outputTokens: number): Estimator {
  return () => outputTokens;
}

/**
 * An estimator that answers the most output tokens the model can produce, according to the catalog.
 *
 * @param otherwise The number of tokens for a model whose maximum is not known. Default: 1024.
 */
export function modelMax(prices: PriceCatalog, otherwise = 1024): Estimator {
  return ({ model }) => prices.price(model)?.maxOutputTokens ?? otherwise;
}
