import { TOKENS_MAX } from "../model/usage.js";
import { parse, wholeNumber } from "../model/validation.js";
import type { PriceCatalog } from "../pricing/catalog.js";

const tokensSchema = wholeNumber(0, TOKENS_MAX, "a whole number of tokens");

/** What is known of a call that did not say how many output tokens it asks for. */
export interface EstimatorInput {
  readonly model: string;
  readonly inputTokens: number | undefined;
}

/** Decides how many output tokens to reserve for a call without `maxOutputTokens`. A whole number, zero or more. */
export type Estimator = (call: EstimatorInput) => number;

/**
 * Always the same number of output tokens. The default is `fixed(1024)`.
 *
 * @throws ValidationError where it is no whole number from 0 to 10^12
 */
export function fixed(outputTokens: number): Estimator {
  const tokens = parse(tokensSchema, outputTokens, "outputTokens");
  return () => tokens;
}

/**
 * The most that the model can put out, as the catalog knows it; `otherwise` where it does not.
 *
 * @throws ValidationError where `otherwise` is no whole number from 0 to 10^12
 */
export function modelMax(prices: PriceCatalog, otherwise = 1024): Estimator {
  const tokens = parse(tokensSchema, otherwise, "otherwise");
  return ({ model }) => prices.price(model)?.maxOutputTokens ?? tokens;
}
