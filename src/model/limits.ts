import * as z from "zod";
import { usdSchema } from "./money.js";
import { patternSchema } from "./patterns.js";
import { recordOf, schemaOf, wholeNumber } from "./validation.js";

/** What a limit counts. `tokens` is input and output together, `cost` is nano-USD, `inFlight` is calls under way. */
export type Meter = "requests" | "tokens" | "inputTokens" | "outputTokens" | "cost" | "inFlight";

/** The zod schema of {@link Meter}. */
export const meterSchema = schemaOf<Meter>()(
  z.enum(["requests", "tokens", "inputTokens", "outputTokens", "cost", "inFlight"]),
);

/** The level of the hierarchy at which a limit applies. `member` is the key's holder within the project. */
export type ScopeKind = "org" | "project" | "member" | "key";

/** The zod schema of {@link ScopeKind}. */
export const scopeKindSchema = schemaOf<ScopeKind>()(z.enum(["org", "project", "member", "key"]));

/** Largest count a limit may have. Sums of many such counts are still exact in a double. */
const COUNT_MAX = 1_000_000_000_000_000;

const countSchema = wholeNumber(0, COUNT_MAX);

/** When a budget starts over: at midnight, on Monday or on the 1st in the org's time zone, or never. */
export type BudgetReset = "daily" | "weekly" | "monthly" | "never";

/** The resets that follow the calendar: every midnight, every Monday, the 1st of every month. */
export type CalendarReset = Exclude<BudgetReset, "never">;

/** The zod schema of {@link BudgetReset}. */
export const budgetResetSchema = schemaOf<BudgetReset>()(z.enum(["daily", "weekly", "monthly", "never"]));

/** How much money may be spent per period. */
export interface Budget {
  /** US dollars, 0 to 9,000,000. Use a decimal string where a number would not be exact. */
  usd: number | string;
  /** When spending starts again from zero. */
  reset: BudgetReset;
  /**
   * Shares of the budget that emit a `budgetThreshold` event when spending reaches them, each once per period, such as
   * `[0.8, 1]`. At most ten, each above 0 and at most 10, where 0.8 is 80 %. What calls under way have reserved counts: a
   * share reached by an estimate is told then, and not again if the estimate comes back.
   */
  alertAt?: readonly number[] | undefined;
  /** Whether calls on the customer's own provider key count too. Default: `false`. */
  countByok?: boolean | undefined;
}

/** The zod schema of {@link Budget}. */
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

/**
 * The limits that can be set for a single model: {@link Limits} without `perModel`.
 *
 * Counts are whole numbers from 0 to 10^15. A field that is left out sets no limit.
 */
export interface ModelLimits {
  /** Requests per sliding minute. */
  rpm?: number | undefined;
  /** Tokens per sliding minute, input and output together. */
  tpm?: number | undefined;
  /** Input tokens per sliding minute. */
  inputTpm?: number | undefined;
  /** Output tokens per sliding minute. */
  outputTpm?: number | undefined;
  /** Requests per sliding 24 hours. */
  rpd?: number | undefined;
  /** Tokens per sliding 24 hours, input and output together. */
  tpd?: number | undefined;
  /** Calls under way at the same time. */
  inFlight?: number | undefined;
  /** One budget, or a list with at most one for each reset. */
  budget?: Budget | Budget[] | undefined;
  /**
   * `shadow` counts and reports but never refuses. Default: `enforce`; within `perModel`, the mode of the limits around
   * it.
   */
  mode?: "enforce" | "shadow" | undefined;
}

/** The limits of one scope, as a person writes them. An unknown field is an error, so a typo cannot disable a limit. */
export interface Limits extends ModelLimits {
  /** Limits by model pattern, at most 100. All calls to models that one pattern matches share that pattern's counts. */
  perModel?: Record<string, ModelLimits> | undefined;
}

const BUDGET = "a budget, an object with usd and reset, or a list of budgets";

const modelLimitsSchema = z.strictObject({
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

/** The zod schema of {@link Limits}. */
export const limitsSchema: z.ZodType<Limits, Limits> = schemaOf<Limits>()(
  modelLimitsSchema.extend({
    perModel: recordOf(patternSchema, modelLimitsSchema)
      .refine((perModel) => Object.keys(perModel).length <= 100, { error: "at most 100 patterns" })
      .optional(),
  }),
);
