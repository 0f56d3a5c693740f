import { z } from "zod";
import { usdSchema } from "./money.js";
import { patternSchema } from "./patterns.js";
import { recordOf } from "./validation.js";

/** What is counted. `tokens` is input and output together. */
export type Meter = "requests" | "tokens" | "inputTokens" | "outputTokens" | "cost" | "inFlight";

/** Where a limit is attached. */
export type ScopeKind = "org" | "project" | "member" | "key";

/** Largest count a limit may have: sums of many of these stay exact in a double. */
export const COUNT_MAX = 1_000_000_000_000_000;

const COUNT = `a whole number from 0 to ${COUNT_MAX}`;

const countSchema = z.int({ error: COUNT }).min(0, { error: COUNT }).max(COUNT_MAX, { error: COUNT });

/** When a budget starts again: at local midnight, on Monday, on the 1st, or never. */
export const budgetResetSchema = z.enum(["daily", "weekly", "monthly", "never"]);
export type BudgetReset = z.infer<typeof budgetResetSchema>;

/** Money that may be spent in each period. */
export const budgetSchema = z.strictObject({
  /** US dollars, at most 9,000,000. */
  usd: usdSchema,
  reset: budgetResetSchema,
  /** Shares of the budget at which a `budgetThreshold` event is emitted, once per period each: `[0.8, 1]`. */
  alertAt: z
    .array(z.number().gt(0, { error: "a share above 0" }).max(10, { error: "a share of at most 10" }))
    .max(10, { error: "at most 10 thresholds" })
    .optional(),
  /** Whether calls on the customer's own provider key count here too; they do not by default. */
  countByok: z.boolean().optional(),
});
export type Budget = z.infer<typeof budgetSchema>;

const budgetsSchema = z
  .array(budgetSchema)
  .max(8, { error: "at most 8 budgets" })
  .refine((budgets) => new Set(budgets.map(({ reset }) => reset)).size === budgets.length, {
    error: "budgets with different resets",
  });

/** {@link Limits} without `perModel`: what may be said of one model. */
export const modelLimitsSchema = z.strictObject({
  /** Requests per minute. */
  rpm: countSchema.optional(),
  /** Tokens per minute, input and output together. */
  tpm: countSchema.optional(),
  /** Input tokens per minute. */
  inputTpm: countSchema.optional(),
  /** Output tokens per minute. */
  outputTpm: countSchema.optional(),
  /** Requests per sliding day. */
  rpd: countSchema.optional(),
  /** Tokens per sliding day. */
  tpd: countSchema.optional(),
  /** Calls at the same time. */
  inFlight: countSchema.optional(),
  budget: z.union([budgetSchema, budgetsSchema]).optional(),
  /** `shadow` counts and reports but never refuses; `enforce` by default. */
  mode: z.enum(["enforce", "shadow"]).optional(),
});
export type ModelLimits = z.infer<typeof modelLimitsSchema>;

/** The limits of one scope, as a person writes them. An unknown field is an error: it would be a limit nobody holds. */
export const limitsSchema = modelLimitsSchema.extend({
  /** Limits per model: each counts the calls to the models that its pattern matches, all together. */
  perModel: recordOf(patternSchema, modelLimitsSchema)
    .refine((perModel) => Object.keys(perModel).length <= 100, { error: "at most 100 patterns" })
    .optional(),
});
export type Limits = z.infer<typeof limitsSchema>;
