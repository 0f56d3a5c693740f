import type { Actual } from "../../model/usage.js";
import { known, type Reading, some, sumOf, UsageObject } from "./counts.js";
import { fieldOf, isWhole } from "./json.js";

/**
 * Reads what a call has used from the `usage` of an answer of Anthropic's Messages API.
 *
 * `input_tokens` excludes what was read from and written to the cache, so the three are added up. Thinking is part of
 * `output_tokens`. A compaction appears only in `iterations` and is added. What an advisor or a fallback used is not
 * added, as it belongs to another model. Fast mode, which the usage calls a speed, becomes the service tier `fast`.
 *
 * @param answer The whole answer, or its `usage` alone. If the usage is absent or null, the result is `{}`: what is
 *   unknown is not zero.
 * @throws ValidationError naming the field that is wrong, or if the object has none of Anthropic's counts.
 * @see https://docs.claude.com/en/api/messages
 * @see https://docs.claude.com/en/docs/build-with-claude/prompt-caching
 */
export function fromAnthropic(answer: unknown): Actual {
  const usage = isWhole(answer, "usage", "content", "stop_reason") ? fieldOf(answer, "usage") : answer;
  return anthropicUsage(usage, "strict");
}

/** Reads a `usage` object. */
export function anthropicUsage(usage: unknown, reading: Reading): Actual {
  if (usage === undefined || usage === null) return {};
  const counts = new UsageObject(usage, "usage", "the usage object of an Anthropic answer", reading);
  counts.needsOneOf([
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
  ]);
  const compactions = counts.objects("iterations").filter((pass) => pass.name("type") === "compaction");
  const passes = [counts, ...compactions].map(passOf);
  const sum = (count: keyof Pass) => sumOf("usage", ...passes.map((pass) => pass[count]));
  const speed = counts.name("speed");
  return known({
    // The cached parts alone would not be the whole input.
    inputTokens: counts.count("input_tokens") === undefined ? undefined : sum("input"),
    cachedInputTokens: some(sum("read")),
    cacheWriteTokens: some(sum("written")),
    cacheWrite1hTokens: some(sum("written1h")),
    outputTokens: counts.count("output_tokens") === undefined ? undefined : sum("output"),
    reasoningTokens: some(sum("thinking")),
    searches: counts.searches,
    serviceTier: speed === "fast" ? speed : (counts.name("service_tier") ?? speed),
  });
}

type Pass = ReturnType<typeof passOf>;

/** What one pass through the model has used. */
function passOf(counts: UsageObject) {
  const read = counts.count("cache_read_input_tokens");
  const lifetimes = counts.object("cache_creation");
  const told5m = lifetimes.count("ephemeral_5m_input_tokens") ?? 0;
  const told1h = lifetimes.count("ephemeral_1h_input_tokens") ?? 0;
  const written = Math.max(counts.count("cache_creation_input_tokens") ?? 0, sumOf("usage", told5m, told1h));
  // The last event of a stream counts all writes, but only the first tells the lifetimes of those until then. A call
  // that has asked for an hour alone writes nothing for less.
  const written1h = told1h > 0 && told5m === 0 ? written : told1h;
  return {
    input: sumOf("usage", counts.count("input_tokens"), read, written),
    read,
    written: written - written1h,
    written1h,
    output: counts.count("output_tokens"),
    thinking: counts.object("output_tokens_details").count("thinking_tokens"),
  };
}
