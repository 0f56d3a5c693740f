import { TOKENS_MAX } from "../model/usage.js";
import { parse, wholeNumber } from "../model/validation.js";
import { type PriceCatalog, requireCatalog } from "../pricing/catalog.js";

const tokensSchema = wholeNumber(0, TOKENS_MAX, "a whole number of tokens");

/** What is known of a call that does not say how many output tokens it asks for. */
export interface EstimatorInput {
  /** One of the models that the call may reach. */
  readonly model: string;
  /** The input tokens of the call, if they are known. */
  readonly inputTokens: number | undefined;
}

/** Decides how many output tokens to reserve for a call without `maxOutputTokens`: a whole number, zero or more. */
export type Estimator = (call: EstimatorInput) => number;

/**
 * An estimator that always answers the same number of output tokens. A gate's default is `fixed(1024)`.
 *
 * @param outputTokens a whole number from 0 to 10^12
 * @throws ValidationError for anything else
 */
export function fixed(outputTokens: number): Estimator {
  const tokens = parse(tokensSchema, outputTokens, "outputTokens");
  return () => tokens;
}

/**
 * An estimator that answers the most output tokens the model can produce, according to the catalog.
 *
 * @param otherwise the number of tokens for a model whose maximum is not known, from 0 to 10^12. Default: 1024.
 * @throws ValidationError if `otherwise` is not a whole number in that range, or `prices` has no `price` function
 */
export function modelMax(prices: PriceCatalog, otherwise = 1024): Estimator {
  requireCatalog(prices, "prices");
  const tokens = parse(tokensSchema, otherwise, "otherwise");
  return ({ model }) => prices.price(model)?.maxOutputTokens ?? tokens;
}
