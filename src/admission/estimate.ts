import type { PriceCatalog } from "../pricing/catalog.js";

/** What is known of a call that did not say how many output tokens it asks for. */
export interface EstimatorInput {
  readonly model: string;
  readonly inputTokens: number | undefined;
}

/** Decides how many output tokens to reserve for a call without `maxOutputTokens`. A whole number, zero or more. */
export type Estimator = (call: EstimatorInput) => number;

/** Always the same number of output tokens. The default is `fixed(1024)`. */
export function fixed(outputTokens: number): Estimator {
  return () => outputTokens;
}

/** The most that the model can put out, as the catalog knows it; `otherwise` where it does not. */
export function modelMax(prices: PriceCatalog, otherwise = 1024): Estimator {
  return ({ model }) => prices.price(model)?.maxOutputTokens ?? otherwise;
}
