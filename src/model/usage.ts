import * as z from "zod";
import { usdSchema } from "./money.js";
import { idSchema, modelSchema, tagsSchema } from "./text.js";
import { schemaOf, wholeNumber } from "./validation.js";

/** Most tokens one call may name; keeps sums exact. */
export const TOKENS_MAX = 1_000_000_000_000;

const tokensSchema = wholeNumber(0, TOKENS_MAX, "a whole number of tokens");

/** Most images or searches one call may name. */
export const ITEMS_MAX = 1_000_000;

const itemsSchema = wholeNumber(0, ITEMS_MAX);

/**
 * What of a call is priced apart. The parts of the input do not overlap, nor do those of the output. A part that no price
 * names costs what its whole does.
 */
export interface CallParts {
  /** The part of `inputTokens` that is written to a cache for minutes. */
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
  /** Images sent, where the provider charges by the image and not by its tokens. */
  inputImages?: number | undefined;
  /** Images made, where the provider charges by the image and not by its tokens. */
  outputImages?: number | undefined;
  /** Searches of the web that the provider charges one by one. */
  searches?: number | undefined;
  /**
   * `batch`, `flex`, `priority` or `fast`, where the provider prices them apart; any other has the standard price. `fast` is
   * `priority` where it has no price of its own, since OpenAI has both names for one tier.
   */
  serviceTier?: string | undefined;
}

/** What a call is about to use, as far as the gateway knows before it is sent. Tokens are whole numbers up to 10^12. */
export interface Usage extends CallParts {
  /** The model, or a virtual model. Either this or `mcpServer`. */
  model?: string | undefined;
  /** The MCP server. Such a call costs nothing unless `costUsd` says so, and no tokens unless they are given. */
  mcpServer?: string | undefined;
  /** All input tokens, cached ones included. Needed where a limit counts them, or money and `costUsd` is not given. */
  inputTokens?: number | undefined;
  /** Most output tokens the call asks for; without it the gate's `estimate` decides. */
  maxOutputTokens?: number | undefined;
  /** What the call will cost at most, in US dollars. No price is looked up then. */
  costUsd?: number | string | undefined;
  /**
   * Makes a retry of `admit` safe: while the first reservation is open, the same id of the same key gets that one and
   * one charge. 1 to 200 characters. Make it up in the gateway: a client that could choose it could send many calls on one charge.
   */
  requestId?: string | undefined;
  /** The call runs on the customer's own provider key: its cost counts only for budgets with `countByok`. */
  byok?: boolean | undefined;
  /** Labels for reports: at most 50, names of 1 to 100 characters and values of up to 200. */
  tags?: Record<string, string> | undefined;
}

/** The parts that are named, alone; undefined where none is. */
export function partsOf(call: CallParts): CallParts | undefined {
  // Written out, since every call comes by.
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

/** {@link CallParts} */
export const callPartsSchema: z.ZodType<CallParts> = schemaOf<CallParts>()(z.strictObject(partsFields));

/** {@link Usage} */
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

/** What a call has really used. What is left out stays as it was reserved; an explicit zero is zero. */
export interface Actual extends CallParts {
  /** The model that answered, when it was a fallback. */
  model?: string | undefined;
  /** All input tokens, cached and cache-writing ones included. */
  inputTokens?: number | undefined;
  /** The part of `inputTokens` that was read from a cache. */
  cachedInputTokens?: number | undefined;
  /** All output tokens, reasoning included. */
  outputTokens?: number | undefined;
  /** The part of `outputTokens` that was reasoning. */
  reasoningTokens?: number | undefined;
  /** What the call cost, in US dollars. No price is looked up then. */
  costUsd?: number | string | undefined;
  /** The client hung up: the rest is what was seen until then. It changes nothing but what the ledger says of the call. */
  disconnected?: boolean | undefined;
}

/**
 * {@link Actual}. All of its fields may be left out, so that whatever has none would pass for one: a promise that nobody has
 * waited for, say, for which a call would be charged its estimate.
 */
export const actualSchema: z.ZodType<Actual> = schemaOf<Actual>()(
  z
    .custom<Actual>((value) => Object.prototype.toString.call(value) === "[object Object]", {
      error: "an object of what was used; of a promise, its value",
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

/** The parts of the input that are told apart. A caller that does not count them in `inputTokens` has at least that much input. */
export function inputPartsOf({
  cachedInputTokens = 0,
  cacheWriteTokens = 0,
  cacheWrite1hTokens = 0,
  audioInputTokens = 0,
  imageInputTokens = 0,
}: Actual): number {
  return cachedInputTokens + cacheWriteTokens + cacheWrite1hTokens + audioInputTokens + imageInputTokens;
}

/** The same of the output: the parts are not always counted in the whole. */
export function outputPartsOf({
  reasoningTokens = 0,
  audioOutputTokens = 0,
  imageOutputTokens = 0,
}: Actual): number {
  return reasoningTokens + audioOutputTokens + imageOutputTokens;
}

/** What a long call needs on top of what it has reserved. */
export interface More {
  inputTokens?: number | undefined;
  maxOutputTokens?: number | undefined;
  /** US dollars. No price is looked up then. */
  costUsd?: number | string | undefined;
}

/** {@link More} */
export const moreSchema: z.ZodType<More> = schemaOf<More>()(
  z.strictObject({
    inputTokens: tokensSchema.optional(),
    maxOutputTokens: tokensSchema.optional(),
    costUsd: usdSchema.optional(),
  }),
);
