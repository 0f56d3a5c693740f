import * as z from "zod";
import { usdSchema } from "./money.js";
import { patternSchema } from "./patterns.js";
import { recordOf, schemaOf, wholeNumber } from "./validation.js";

/** What is counted. `tokens` is input and output together. */
export type Meter = "requests" | "tokens" | "inputTokens" | "outputTokens" | "cost" | "inFlight";

/** {@link Meter} */
export const meterSchema = schemaOf<Meter>()(
  z.enum(["requests", "tokens", "inputTokens", "outputTokens", "cost", "inFlight"]),
);

/** Where a limit is attached. */
export type ScopeKind = "org" | "project" | "member" | "key";

/** {@link ScopeKind} */
export const scopeKindSchema = schemaOf<ScopeKind>()(z.enum(["org", "project", "member", "key"]));

/** Largest count a limit may have: sums of many of these stay exact in a double. */
const COUNT_MAX = 1_000_000_000_000_000;

const countSchema = wholeNumber(0, COUNT_MAX);

/** When a budget starts again: at local midnight, on Monday, on the 1st, or never. */
export type BudgetReset = "daily" | "weekly" | "monthly" | "never";

/** How often a calendar period begins anew: at midnight, on Monday, on the 1st. */
export type CalendarReset = Exclude<BudgetReset, "never">;

/** {@link BudgetReset} */
export const budgetResetSchema = schemaOf<BudgetReset>()(z.enum(["daily", "weekly", "monthly", "never"]));

/** Money that may be spent in each period. */
export interface Budget {
  /** US dollars, at most 9,000,000; a decimal string where a number would not be exact. */
  usd: number | string;
  reset: BudgetReset;
  /**
   * Shares of the budget at which a `budgetThreshold` event is emitted, once per period each: `[0.8, 1]`. At most ten, each above 0
   * and at most 10.
   */
  alertAt?: number[] | undefined;
  /** Whether calls on the customer's own provider key count here too; they do not by default. */
  countByok?: boolean | undefined;
}

/** {@link Budget} */
export const budgetSchema: z.ZodType<Budget, Budget> = schemaOf<Budget>()(
  z.strictObject({
    usd: usdSchema,
    reset: budgetResetSchema,
    alertAt: z
      .array(
        z
          .number()
          .gt(0, { error: "a share above 0" })
          .max(10, { error: "a share of at most 10, where 0.8 is 80 %" }),
      )
      .max(10, { error: "at most 10 thresholds" })
      .optional(),
    countByok: z.boolean().optional(),
  }),
);

const budgetsSchema = z
  .array(budgetSchema)
  .max(8, { error: "at most 8 budgets" })
  .refine((budgets) => new Set(budgets.map(({ reset }) => reset)).size === budgets.length, {
    error: "budgets with different resets",
  });

/** What may be said of one model: {@link Limits} without `perModel`. Counts are whole numbers up to 10^15. */
export interface ModelLimits {
  /** Requests per minute. */
  rpm?: number | undefined;
  /** Tokens per minute, input and output together. */
  tpm?: number | undefined;
  /** Input tokens per minute. */
  inputTpm?: number | undefined;
  /** Output tokens per minute. */
  outputTpm?: number | undefined;
  /** Requests per sliding day. */
  rpd?: number | undefined;
  /** Tokens per sliding day. */
  tpd?: number | undefined;
  /** Calls at the same time. */
  inFlight?: number | undefined;
  /** One budget, or a list with one for each reset. */
  budget?: Budget | Budget[] | undefined;
  /** `shadow` counts and reports but never refuses; `enforce` by default. */
  mode?: "enforce" | "shadow" | undefined;
}

/** The limits of one scope, as a person writes them. An unknown field is an error: it would be a limit nobody holds. */
export interface Limits extends ModelLimits {
  /** Limits per model: each counts the calls to the models that its pattern matches, all together. At most 100. */
  perModel?: Record<string, ModelLimits> | undefined;
}

const BUDGET = "a budget, an object with usd and reset, or a list of budgets";

const modelLimits = z.strictObject({
  rpm: countSchema.optional(),
  tpm: countSchema.optional(),
  inputTpm: countSchema.optional(),
  outputTpm: countSchema.optional(),
  rpd: countSchema.optional(),
  tpd: countSchema.optional(),
  inFlight: countSchema.optional(),
  budget: z.union([budgetSchema, budgetsSchema], { error: BUDGET }).optional(),
  mode: z.enum(["enforce", "shadow"]).optional(),
});

/** {@link Limits} */
export const limitsSchema: z.ZodType<Limits, Limits> = schemaOf<Limits>()(
  modelLimits.extend({
    perModel: recordOf(patternSchema, modelLimits)
      .refine((perModel) => Object.keys(perModel).length <= 100, { error: "at most 100 patterns" })
      .optional(),
  }),
);
