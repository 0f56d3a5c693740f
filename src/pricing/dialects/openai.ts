import type { Actual } from "../../model/usage.js";
import { known, some, UsageObject } from "./counts.js";

/** What each of the two APIs calls its counts. */
const CHAT = { input: "prompt_tokens", output: "completion_tokens" };
const RESPONSES = { input: "input_tokens", output: "output_tokens" };

/**
 * What a call has used, from the `usage` of OpenAI's chat completions, completions, embeddings, images or responses, or of
 * a provider that answers like them.
 *
 * The input counts contain what was read from and written to the cache, and audio and images; the output counts contain
 * the reasoning. The service tier stands beside the usage in the answer, so it is the caller's to add.
 *
 * @param usage The `usage` object. Absent or null is `{}`: nothing is known, and nothing is not zero.
 * @throws ValidationError naming the field that is wrong, and for an object without any count of OpenAI's
 * @see https://platform.openai.com/docs/api-reference/chat/object
 * @see https://platform.openai.com/docs/api-reference/responses/object
 */
export function fromOpenAI(usage: unknown): Actual {
  if (usage === undefined || usage === null) return {};
  const counts = new UsageObject(usage, "usage", "the usage object of an OpenAI answer");
  counts.needsOneOf([CHAT.input, CHAT.output, RESPONSES.input, RESPONSES.output, "total_tokens"]);
  const names = counts.has(CHAT.input) || counts.has(CHAT.output) ? CHAT : RESPONSES;
  const inputTokens = counts.count(names.input);
  const input = counts.object(`${names.input}_details`);
  const output = counts.object(`${names.output}_details`);

  const cached = input.count("cached_tokens") ?? 0;
  const written = input.count("cache_write_tokens") ?? 0;
  // The counts do not say which of the audio and images was cached: text first, so that no dear token counts as a cached one.
  const uncached = Math.max(0, (inputTokens ?? 0) - cached - written);
  const audio = Math.min(input.count("audio_tokens") ?? 0, uncached);
  const images = Math.min(input.count("image_tokens") ?? 0, uncached - audio);
  return known({
    inputTokens,
    cachedInputTokens: some(cached),
    cacheWriteTokens: some(written),
    audioInputTokens: some(audio),
    imageInputTokens: some(images),
    outputTokens: counts.count(names.output) ?? remainder(counts.count("total_tokens"), inputTokens),
    reasoningTokens: some(output.count("reasoning_tokens")),
    audioOutputTokens: some(output.count("audio_tokens")),
    imageOutputTokens: some(output.count("image_tokens")),
  });
}

/** An embedding tells its total, and no output. */
function remainder(total: number | undefined, input: number | undefined): number | undefined {
  return total === undefined || input === undefined ? undefined : Math.max(0, total - input);
}
