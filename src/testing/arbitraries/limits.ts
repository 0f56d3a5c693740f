import type { Arbitrary } from "fast-check";
import { RATE_NAMES, type Rate } from "../../admission/limit.js";
import { budgetResetSchema, type Limits, type ModelLimits } from "../../model/limits.js";
import type { FastCheck } from "./fast-check.js";

/** Options of {@link anyLimits}: how large limits may be. */
export interface LimitsOptions {
  /** The patterns that limits per model may have. Default: none. */
  readonly models?: readonly string[] | undefined;
  /** The largest max of limits on requests and calls at the same time. Default: 20. */
  readonly maxRequests?: number | undefined;
  /** The largest max of limits on tokens. Default: 20,000. */
  readonly maxTokens?: number | undefined;
  /** The largest budget, in US dollars. Default: 1. */
  readonly maxUsd?: number | undefined;
  /** Whether some limits are in shadow mode. Default: `false`. */
  readonly shadow?: boolean | undefined;
}

/** The option that bounds each limit that is a single number. */
const MOST: Readonly<Record<Rate, "maxRequests" | "maxTokens">> = {
  rpm: "maxRequests",
  rpd: "maxRequests",
  inFlight: "maxRequests",
  tpm: "maxTokens",
  inputTpm: "maxTokens",
  outputTpm: "maxTokens",
  tpd: "maxTokens",
};

const OF_REQUESTS = RATE_NAMES.filter((name) => MOST[name] === "maxRequests");

const OF_TOKENS = RATE_NAMES.filter((name) => MOST[name] === "maxTokens");

/** The most limits on requests and tokens in one scope. With many of them hardly any call would be admitted. */
const RATES_MAX = 3;

/** Arbitrary valid limits: each present or not, some with a max of zero, and budgets with different resets. */
export function anyLimits(fc: FastCheck, options: LimitsOptions = {}): Arbitrary<Limits> {
  const { models = [], shadow = false } = options;
  const one = anyModelLimits(fc, options);
  const mode = fc.constantFrom<NonNullable<Limits["mode"]>>(
    "enforce",
    ...(shadow ? ["shadow" as const] : []),
  );
  const withMode = fc
    .tuple(one, fc.option(mode, { nil: undefined }))
    .map(([limits, how]): Limits => (how === undefined ? limits : { ...limits, mode: how }));
  if (models.length === 0) return withMode;
  const perModel = fc.dictionary(fc.constantFrom(...models), one, { maxKeys: 3, noNullPrototype: true });
  return fc
    .tuple(withMode, fc.option(perModel, { nil: undefined }))
    .map(([limits, each]): Limits => (each === undefined ? limits : { ...limits, perModel: each }));
}

function anyModelLimits(
  fc: FastCheck,
  { maxRequests = 20, maxTokens = 20_000, maxUsd = 1 }: LimitsOptions,
): Arbitrary<ModelLimits> {
  const rate = fc.oneof(
    fc.tuple(fc.constantFrom(...OF_REQUESTS), fc.nat(maxRequests)),
    fc.tuple(fc.constantFrom(...OF_TOKENS), fc.nat(maxTokens)),
  );
  const rates = fc.uniqueArray(rate, { maxLength: RATES_MAX, selector: ([name]) => name });
  // In hundredths of a cent, as people write amounts, and no more exact than a number can be.
  const usd = fc.nat(Math.floor(maxUsd * 10_000)).map((hundredths) => hundredths / 10_000);
  const budget = fc.record({ usd, reset: fc.constantFrom(...budgetResetSchema.options) });
  const budgets = fc.uniqueArray(budget, { maxLength: 2, selector: ({ reset }) => reset });
  return fc.tuple(rates, budgets).map(([counts, [first, ...more]]): ModelLimits => {
    const limits: ModelLimits = Object.fromEntries(counts);
    if (first === undefined) return limits;
    return { ...limits, budget: more.length === 0 ? first : [first, ...more] };
  });
}
