import { z } from "zod";
import { usdSchema } from "./money.js";
import { idSchema, modelSchema, tagsSchema } from "./text.js";

/** Most tokens one call may name; keeps sums exact. */
export const TOKENS_MAX = 1_000_000_000_000;

const TOKENS = `a whole number of tokens from 0 to ${TOKENS_MAX}`;

const tokensSchema = z.int({ error: TOKENS }).min(0, { error: TOKENS }).max(TOKENS_MAX, { error: TOKENS });

/** What a call is about to use, as far as the gateway knows before it is sent. */
export const usageSchema = z
  .strictObject({
    /** The model, or a virtual model. Either this or `mcpServer`. */
    model: modelSchema.optional(),
    /** The MCP server. Such a call costs nothing unless `costUsd` says so, and no tokens unless they are given. */
    mcpServer: modelSchema.optional(),
    /** All input tokens, cached ones included. Needed where a limit counts input or cost. */
    inputTokens: tokensSchema.optional(),
    /** Most output tokens the call asks for; without it the gate's `estimate` decides. */
    maxOutputTokens: tokensSchema.optional(),
    /** What the call will cost at most, in US dollars. No price is looked up then. */
    costUsd: usdSchema.optional(),
    /**
     * Makes a retry of `admit` safe: while the first reservation is open, the same id of the same key gets that one
     * and one charge. Make it up in the gateway; a client that could choose it could send many calls on one charge.
     */
    requestId: idSchema.optional(),
    /** The call runs on the customer's own provider key and costs the org nothing. */
    byok: z.boolean().optional(),
    /** Labels for reports. */
    tags: tagsSchema.optional(),
  })
  .refine((usage) => (usage.model === undefined) !== (usage.mcpServer === undefined), {
    error: "either model or mcpServer",
    path: ["model"],
  });
export type Usage = z.infer<typeof usageSchema>;

/** What a call has really used. What is left out stays as it was reserved; an explicit zero is zero. */
export const actualSchema = z.strictObject({
  /** The model that answered, when it was a fallback. */
  model: modelSchema.optional(),
  /** All input tokens, cached and cache-writing ones included. */
  inputTokens: tokensSchema.optional(),
  /** The part of `inputTokens` that was read from a cache. */
  cachedInputTokens: tokensSchema.optional(),
  /** The part of `inputTokens` that was written to a cache for minutes. */
  cacheWriteTokens: tokensSchema.optional(),
  /** The part of `inputTokens` that was written to a cache for an hour. */
  cacheWrite1hTokens: tokensSchema.optional(),
  /** All output tokens, reasoning included. */
  outputTokens: tokensSchema.optional(),
  /** The part of `outputTokens` that was reasoning. */
  reasoningTokens: tokensSchema.optional(),
  /** What the call cost, in US dollars. No price is looked up then. */
  costUsd: usdSchema.optional(),
});
export type Actual = z.infer<typeof actualSchema>;

/** What a long call needs on top of what it has reserved. */
export const moreSchema = z.strictObject({
  inputTokens: tokensSchema.optional(),
  maxOutputTokens: tokensSchema.optional(),
  costUsd: usdSchema.optional(),
});
export type More = z.infer<typeof moreSchema>;
