import type { Actual } from "../../model/usage.js";
import { known, some, sumOf, UsageObject } from "./counts.js";

/**
 * What a call has used, from the `usage` of Anthropic's messages.
 *
 * `input_tokens` contains neither what was read from the cache nor what was written to it: the three are added up. Thinking
 * is part of `output_tokens`.
 *
 * @param usage The `usage` object. Absent or null is `{}`: nothing is known, and nothing is not zero.
 * @throws ValidationError naming the field that is wrong, and for an object without any count of Anthropic's
 * @see https://docs.claude.com/en/api/messages
 * @see https://docs.claude.com/en/docs/build-with-claude/prompt-caching
 */
export function fromAnthropic(usage: unknown): Actual {
  if (usage === undefined || usage === null) return {};
  const counts = new UsageObject(usage, "usage", "the usage object of an Anthropic answer");
  counts.needsOneOf([
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
  ]);
  const uncached = counts.count("input_tokens");
  const read = counts.count("cache_read_input_tokens");
  const lifetimes = counts.object("cache_creation");
  const written1h = lifetimes.count("ephemeral_1h_input_tokens") ?? 0;
  const byLifetime = sumOf("usage", lifetimes.count("ephemeral_5m_input_tokens"), written1h);
  const written = Math.max(counts.count("cache_creation_input_tokens") ?? 0, byLifetime);
  return known({
    // The cached parts alone are not the whole input.
    inputTokens: uncached === undefined ? undefined : sumOf("usage", uncached, read, written),
    cachedInputTokens: some(read),
    cacheWriteTokens: some(written - written1h),
    cacheWrite1hTokens: some(written1h),
    outputTokens: counts.count("output_tokens"),
    reasoningTokens: some(counts.object("output_tokens_details").count("thinking_tokens")),
    searches: counts.object("server_tool_use").count("web_search_requests"),
    serviceTier: counts.name("service_tier"),
  });
}
