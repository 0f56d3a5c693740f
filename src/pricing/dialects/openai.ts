import { type Actual, TOKENS_MAX } from "../../model/usage.js";
import { isName, known, type Reading, some, UsageObject } from "./counts.js";
import { fieldOf, isWhole, itemsOf } from "./json.js";

/** What each of the two APIs calls its counts. */
const CHAT = { input: "prompt_tokens", output: "completion_tokens" };
const RESPONSES = { input: "input_tokens", output: "output_tokens" };

/**
 * What a call has used, from the `usage` of OpenAI's chat completions, completions, embeddings, images, transcriptions or
 * responses, or of a provider that answers like them, rankings included.
 *
 * The input counts contain what was read from and written to the cache, and audio and images; the output counts contain
 * the reasoning. xAI's do not, nor do those of Gemini: what the total has beyond input and output is added to the output, or to
 * the input where it is as much as the cache had. The service tier, and the searches of a response, stand beside the usage: they are known of a whole answer.
 *
 * @param answer The whole answer, or its `usage` alone. A usage that is absent, null or of seconds is `{}`: nothing is known,
 *   and nothing is not zero.
 * @throws ValidationError naming the field that is wrong, and for an object without any count of OpenAI's
 * @see https://platform.openai.com/docs/api-reference/chat/object
 * @see https://platform.openai.com/docs/api-reference/responses/object
 */
export function fromOpenAI(answer: unknown): Actual {
  if (!isWhole(answer, "usage", "choices", "object", "data", "text", "results"))
    return openAIUsage(answer, "strict");
  const usage = fieldOf(answer, "usage");
  return { ...ofKind(answer, usage, openAIUsage(usage, "strict")), ...besideUsage(answer) };
}

/** What the kind of an answer says of its usage: embeddings and rankings have no output, and some tell their total alone. */
function ofKind(answer: unknown, usage: unknown, actual: Actual): Actual {
  const items = itemsOf(fieldOf(answer, "data") ?? fieldOf(answer, "results"));
  if (items.some((item) => typeof fieldOf(item, "b64_json") === "string"))
    return withOutputOf("imageOutputTokens", actual);
  const total = fieldOf(usage, "total_tokens");
  const isTotalAlone = actual.inputTokens === undefined && actual.outputTokens === undefined;
  const isTold = items.length > 0 && isTotalAlone && typeof total === "number";
  return isTold ? { ...actual, inputTokens: total, outputTokens: 0 } : actual;
}

/** The usage of an output that is all images or all audio, where it does not tell the parts of the output. */
export function withOutputOf(part: "imageOutputTokens" | "audioOutputTokens", usage: Actual): Actual {
  return usage[part] === undefined && usage.outputTokens ? { ...usage, [part]: usage.outputTokens } : usage;
}

/** What a whole answer, or an event of a stream, tells beside its usage. */
export function besideUsage(answer: unknown): Actual {
  const output = fieldOf(answer, "output");
  const serviceTier = fieldOf(answer, "service_tier");
  return known({
    searches: Array.isArray(output) ? output.filter(isSearch).length : undefined,
    serviceTier: isName(serviceTier) && serviceTier !== AUTO ? serviceTier : undefined,
  });
}

/** What a response says of its service tier until it is known which one serves it. */
const AUTO = "auto";

/** Opening a page and finding something in it are calls of the same tool, and cost nothing. */
function isSearch(item: unknown): boolean {
  const action = fieldOf(fieldOf(item, "action"), "type") ?? "search";
  return (
    fieldOf(item, "type") === "web_search_call" && action === "search" && fieldOf(item, "status") !== "failed"
  );
}

/** What a `usage` alone says. */
export function openAIUsage(usage: unknown, reading: Reading): Actual {
  if (usage === undefined || usage === null || fieldOf(usage, "type") === "duration") return {};
  const counts = new UsageObject(usage, "usage", "the usage object of an OpenAI answer", reading);
  counts.needsOneOf([CHAT.input, CHAT.output, RESPONSES.input, RESPONSES.output, "total_tokens"]);
  const names = namesIn(counts);
  const total = counts.count("total_tokens");
  const input = detailsOf(counts, names.input);
  const output = detailsOf(counts, names.output);

  const reasoning = output.count("reasoning_tokens") ?? 0;
  // Whether the prompt contains the cache is only known with the total.
  const told = cacheOf(counts, names, input, TOKENS_MAX);
  const cache = told.cached + told.written;
  const wholes = wholesOf(counts.count(names.input), counts.count(names.output), total, cache, reasoning);
  const { cached, written, written1h } = cacheOf(counts, names, input, wholes.inputTokens ?? 0);
  // Only realtime sessions say which of the audio and images was cached. Else text first, so that no dear token counts as cached.
  const uncached = Math.max(0, (wholes.inputTokens ?? 0) - cached - written);
  const ofCache = input.object("cached_tokens_details");
  const rest = (kind: string) => Math.max(0, (input.count(kind) ?? 0) - (ofCache.count(kind) ?? 0));
  const audio = Math.min(rest("audio_tokens"), uncached);
  const images = Math.min(rest("image_tokens"), uncached - audio);
  return known({
    inputTokens: wholes.inputTokens,
    cachedInputTokens: some(cached),
    cacheWriteTokens: some(written - written1h),
    cacheWrite1hTokens: some(written1h),
    audioInputTokens: some(audio),
    imageInputTokens: some(images),
    outputTokens: wholes.outputTokens,
    reasoningTokens: some(reasoning),
    audioOutputTokens: some(output.count("audio_tokens")),
    imageOutputTokens: some(output.count("image_tokens")),
  });
}

/**
 * What of the input was read from and written to the cache, what was written for an hour included. In the details, OpenAI, LiteLLM
 * and Qwen have a name each for what was written. DeepSeek, Kimi, and gateways before Anthropic such as LiteLLM and Portkey tell it
 * beside the count of the prompt. There it counts as part of the input if it can be one; beside `input_tokens`, names like Anthropic's are of
 * tokens that those do not contain.
 */
function cacheOf(counts: UsageObject, names: typeof CHAT, details: UsageObject, inputTokens: number) {
  const beside = (name: string, most: number) => {
    const count = names === CHAT ? counts.count(name) : undefined;
    return count !== undefined && count <= most ? count : undefined;
  };
  const cached =
    details.count("cached_tokens") ??
    beside("prompt_cache_hit_tokens", inputTokens) ??
    beside("cached_tokens", inputTokens) ??
    beside("cache_read_input_tokens", inputTokens) ??
    0;
  // LiteLLM tells Anthropic's two lifetimes; all others have one.
  const written1h = details.object("cache_creation_token_details").count("ephemeral_1h_input_tokens") ?? 0;
  const written =
    details.count("cache_write_tokens") ??
    details.count("cache_creation_tokens") ??
    details.count("cache_creation_input_tokens") ??
    beside("cache_creation_input_tokens", inputTokens - cached) ??
    0;
  return { cached, written: Math.max(written, written1h), written1h };
}

/** The parts of a count. Transcriptions and realtime sessions name them after one token. */
function detailsOf(counts: UsageObject, tokens: string): UsageObject {
  const details = `${tokens}_details`;
  const ofOneToken = `${tokens.replace(/s$/, "")}_details`;
  return counts.object(counts.has(details) ? details : ofOneToken);
}

/** Whose names the counts have. Some answer with both, and zeros under one of them. */
function namesIn(counts: UsageObject): typeof CHAT {
  const told = ({ input, output }: typeof CHAT) => (counts.count(input) ?? 0) + (counts.count(output) ?? 0);
  const chat = counts.has(CHAT.input) || counts.has(CHAT.output);
  return chat && (told(CHAT) > 0 || told(RESPONSES) === 0) ? CHAT : RESPONSES;
}

/**
 * Input and output, with what the total has beyond both: reasoning that the output does not contain, whether it is told or
 * not. Where it is as much as the cache had and not as the reasoning, or no input is told, it is input.
 */
function wholesOf(
  input: number | undefined,
  output: number | undefined,
  total: number | undefined,
  cache: number,
  reasoning: number,
): Pick<Actual, "inputTokens" | "outputTokens"> {
  if (total === undefined || input === undefined) return { inputTokens: input, outputTokens: output };
  // An embedding tells its total, and no output.
  const beyond = Math.max(0, total - input - (output ?? 0));
  const isInput = output !== undefined && beyond !== reasoning && (beyond === cache || input === 0);
  return isInput
    ? { inputTokens: input + beyond, outputTokens: output }
    : { inputTokens: input, outputTokens: (output ?? 0) + beyond };
}
