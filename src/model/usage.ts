import * as z from "zod";
import { usdSchema } from "./money.js";
import { idSchema, modelSchema, tagsSchema } from "./text.js";
import { schemaOf, wholeNumber } from "./validation.js";

/** The most tokens that one call may name. It keeps sums exact. */
export const TOKENS_MAX = 1_000_000_000_000;

const tokensSchema = wholeNumber(0, TOKENS_MAX, "a whole number of tokens");

/** The most images or searches that one call may name. */
export const ITEMS_MAX = 1_000_000;

const itemsSchema = wholeNumber(0, ITEMS_MAX);

/**
 * The parts of a call that may have a price of their own.
 *
 * Token counts are whole numbers from 0 to 10^12, counts of images and searches from 0 to 1,000,000. The parts of the
 * input do not overlap, nor do those of the output. Tokens without a price of their own cost what the rest of the input
 * or output costs; images and searches without a price cost nothing.
 */
export interface CallParts {
  /** The part of `inputTokens` that is written to a short-lived cache (minutes). */
  cacheWriteTokens?: number | undefined;
  /** The part of `inputTokens` that is written to a cache for an hour. */
  cacheWrite1hTokens?: number | undefined;
  /** The part of `inputTokens` that is audio. */
  audioInputTokens?: number | undefined;
  /** The part of `inputTokens` that is images. */
  imageInputTokens?: number | undefined;
  /** The part of the output tokens that is audio. */
  audioOutputTokens?: number | undefined;
  /** The part of the output tokens that is images. */
  imageOutputTokens?: number | undefined;
  /** Images sent, for providers that charge per image rather than by its tokens. */
  inputImages?: number | undefined;
  /** Images made, for providers that charge per image rather than by its tokens. */
  outputImages?: number | undefined;
  /** Web searches that the provider charges one by one. */
  searches?: number | undefined;
  /**
   * The provider's service tier, such as `batch`, `flex`, `priority` or `fast`: 1 to 300 characters. A tier that the
   * catalog does not price has the standard price. `fast` falls back to the price of `priority`, since OpenAI uses both
   * names for one tier.
   */
  serviceTier?: string | undefined;
}

/**
 * What a call is about to use, as far as the gateway knows before sending it.
 *
 * Exactly one of `model` and `mcpServer` is given. Tokens are whole numbers from 0 to 10^12.
 */
export interface Usage extends CallParts {
  /** The model or virtual model that is called: 1 to 300 characters. Excludes `mcpServer`. */
  model?: string | undefined;
  /**
   * The MCP server that is called: 1 to 300 characters. Excludes `model`. Such a call costs nothing unless `costUsd`
   * says so, and uses no tokens unless they are given.
   */
  mcpServer?: string | undefined;
  /**
   * All input tokens, cached ones included. Required for a model if an enforced limit counts them, or if an enforced
   * budget applies, the price is known and `costUsd` is not given.
   */
  inputTokens?: number | undefined;
  /** The most output tokens that the call asks for. Without it, the gate's `estimate` decides. */
  maxOutputTokens?: number | undefined;
  /** The most the call will cost, in US dollars, 0 to 9,000,000. If given, no price is looked up. */
  costUsd?: number | string | undefined;
  /**
   * Makes a retry of `admit` safe: while the first reservation is open, the same id of the same key returns that
   * reservation and charges nothing more. 1 to 200 characters.
   *
   * Generate it in the gateway. A client that could choose it could send many calls on one charge.
   */
  requestId?: string | undefined;
  /**
   * The call runs on the customer's own provider key. Its cost counts only against budgets with `countByok`. Default:
   * `false`.
   */
  byok?: boolean | undefined;
  /** Labels for reports: at most 50, with names of 1 to 100 characters and values of up to 200. */
  tags?: Record<string, string> | undefined;
}

/** The parts of a call that are given, and nothing else; `undefined` if none is. */
export function partsOf(call: CallParts): CallParts | undefined {
  // Written out because it is on the path of every call.
  if (
    call.cacheWriteTokens === undefined &&
    call.cacheWrite1hTokens === undefined &&
    call.audioInputTokens === undefined &&
    call.imageInputTokens === undefined &&
    call.audioOutputTokens === undefined &&
    call.imageOutputTokens === undefined &&
    call.inputImages === undefined &&
    call.outputImages === undefined &&
    call.searches === undefined &&
    call.serviceTier === undefined
  ) {
    return undefined;
  }
  const named: Record<string, unknown> = {};
  for (const field of PARTS) if (call[field] !== undefined) named[field] = call[field];
  return named;
}

const partsFields = {
  cacheWriteTokens: tokensSchema.optional(),
  cacheWrite1hTokens: tokensSchema.optional(),
  audioInputTokens: tokensSchema.optional(),
  imageInputTokens: tokensSchema.optional(),
  audioOutputTokens: tokensSchema.optional(),
  imageOutputTokens: tokensSchema.optional(),
  inputImages: itemsSchema.optional(),
  outputImages: itemsSchema.optional(),
  searches: itemsSchema.optional(),
  serviceTier: modelSchema.optional(),
};

const PARTS = Object.keys(partsFields) as (keyof CallParts)[]; // sound: its fields are these

/** The zod schema of {@link CallParts}. */
export const callPartsSchema: z.ZodType<CallParts> = schemaOf<CallParts>()(z.strictObject(partsFields));

/** The zod schema of {@link Usage}. A field it does not know is an error. */
export const usageSchema: z.ZodType<Usage> = schemaOf<Usage>()(
  z
    .strictObject({
      model: modelSchema.optional(),
      mcpServer: modelSchema.optional(),
      inputTokens: tokensSchema.optional(),
      maxOutputTokens: tokensSchema.optional(),
      costUsd: usdSchema.optional(),
      requestId: idSchema.optional(),
      byok: z.boolean().optional(),
      tags: tagsSchema.optional(),
      ...partsFields,
    })
    .refine((usage) => (usage.model === undefined) !== (usage.mcpServer === undefined), {
      error: "either model or mcpServer",
      path: ["model"],
    }),
);

/** What a call has really used. A field that is left out stays as it was reserved; an explicit zero is zero. */
export interface Actual extends CallParts {
  /** The model that answered, if it was a fallback. Default: the model that was reserved for. */
  model?: string | undefined;
  /** All input tokens, including those read from and written to a cache. */
  inputTokens?: number | undefined;
  /** The part of `inputTokens` that was read from a cache. */
  cachedInputTokens?: number | undefined;
  /** All output tokens, reasoning included. */
  outputTokens?: number | undefined;
  /** The part of `outputTokens` that was reasoning. */
  reasoningTokens?: number | undefined;
  /** What the call cost, in US dollars, 0 to 9,000,000. If given, no price is looked up. */
  costUsd?: number | string | undefined;
  /**
   * The client hung up, and the other fields are what was seen until then. Only the ledger's record of the call is
   * affected.
   */
  disconnected?: boolean | undefined;
}

/**
 * The zod schema of {@link Actual}. A field it does not know is an error.
 *
 * Every field is optional, so it insists on a plain object: an unawaited promise, for one, would otherwise pass as an
 * actual that says nothing, and the call would be charged its estimate.
 */
export const actualSchema: z.ZodType<Actual> = schemaOf<Actual>()(
  z
    .custom<Actual>((value) => Object.prototype.toString.call(value) === "[object Object]", {
      error: "an object that says what was used; await it if it is a promise",
    })
    .pipe(
      z.strictObject({
        model: modelSchema.optional(),
        inputTokens: tokensSchema.optional(),
        cachedInputTokens: tokensSchema.optional(),
        outputTokens: tokensSchema.optional(),
        reasoningTokens: tokensSchema.optional(),
        costUsd: usdSchema.optional(),
        ...partsFields,
        disconnected: z.boolean().optional(),
      }),
    ),
);

/**
 * The sum of the input's known parts. A caller that does not count them in `inputTokens` has at least this much input.
 */
export function inputPartsOf({
  cachedInputTokens = 0,
  cacheWriteTokens = 0,
  cacheWrite1hTokens = 0,
  audioInputTokens = 0,
  imageInputTokens = 0,
}: Actual): number {
  return cachedInputTokens + cacheWriteTokens + cacheWrite1hTokens + audioInputTokens + imageInputTokens;
}

/** The sum of the output's known parts, which callers do not always count in `outputTokens`. */
export function outputPartsOf({
  reasoningTokens = 0,
  audioOutputTokens = 0,
  imageOutputTokens = 0,
}: Actual): number {
  return reasoningTokens + audioOutputTokens + imageOutputTokens;
}

/** What a long call needs on top of what it has reserved. Tokens are whole numbers from 0 to 10^12. */
export interface More {
  inputTokens?: number | undefined;
  maxOutputTokens?: number | undefined;
  /** US dollars, 0 to 9,000,000. If given, no price is looked up. */
  costUsd?: number | string | undefined;
}

/** The zod schema of {@link More}. */
export const moreSchema: z.ZodType<More> = schemaOf<More>()(
  z.strictObject({
    inputTokens: tokensSchema.optional(),
    maxOutputTokens: tokensSchema.optional(),
    costUsd: usdSchema.optional(),
  }),
);
