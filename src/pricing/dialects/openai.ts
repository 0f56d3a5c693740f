import { type Actual, TOKENS_MAX } from "../../model/usage.js";
import { isName, known, type Reading, some, sumOf, UsageObject } from "./counts.js";
import { fieldOf, isWhole, itemsOf } from "./json.js";

/** The names of the counts in each of OpenAI's two APIs. */
const CHAT = { input: "prompt_tokens", output: "completion_tokens" };
const RESPONSES = { input: "input_tokens", output: "output_tokens" };

/**
 * Reads what a call has used from the `usage` of OpenAI's chat completions, completions, embeddings, images,
 * transcriptions or responses, or of a provider that answers in the same form, rankings included.
 *
 * OpenAI's input counts include cache reads and writes, audio and images, and its output counts include reasoning.
 * Those of xAI and Gemini may not. So what the total has beyond input plus output is added to the output, or to the
 * input if it is exactly what the cache counts say, or the audio of Mistral's. The service tier and the web searches of
 * a response are beside the usage, so they are read only from a whole answer.
 *
 * @param answer The whole answer, or its `usage` alone. If the usage is absent, null or in seconds, the result is `{}`:
 *   what is unknown is not zero.
 * @throws ValidationError naming the field that is wrong, or if the object has none of OpenAI's counts.
 * @see https://platform.openai.com/docs/api-reference/chat/object
 * @see https://platform.openai.com/docs/api-reference/responses/object
 */
export function fromOpenAI(answer: unknown): Actual {
  if (!isWhole(answer, "usage", "choices", "object", "data", "text", "results"))
    return openAIUsage(answer, "strict");
  const usage = fieldOf(answer, "usage");
  return { ...ofKind(answer, usage, openAIUsage(usage, "strict")), ...besideUsage(answer) };
}

/** What the kind of answer says about its usage: embeddings and rankings have no output, and some give only a total. */
function ofKind(answer: unknown, usage: unknown, actual: Actual): Actual {
  const items = itemsOf(fieldOf(answer, "data") ?? fieldOf(answer, "results"));
  if (items.some((item) => typeof (fieldOf(item, "b64_json") ?? fieldOf(item, "url")) === "string"))
    return withOutputOf("imageOutputTokens", actual);
  const total = fieldOf(usage, "total_tokens");
  const isTotalAlone = actual.inputTokens === undefined && actual.outputTokens === undefined;
  const isTold = items.length > 0 && isTotalAlone && typeof total === "number";
  return isTold ? { ...actual, inputTokens: total, outputTokens: 0 } : actual;
}

/** The usage of an output that is all images or all audio, if it does not say so itself. */
export function withOutputOf(part: "imageOutputTokens" | "audioOutputTokens", usage: Actual): Actual {
  return usage[part] === undefined && usage.outputTokens ? { ...usage, [part]: usage.outputTokens } : usage;
}

/** What a whole answer, or an event of a stream, says outside its usage. */
export function besideUsage(answer: unknown): Actual {
  const output = fieldOf(answer, "output");
  const serviceTier = fieldOf(answer, "service_tier");
  return known({
    searches: Array.isArray(output) ? output.filter(isSearch).length : undefined,
    serviceTier: isName(serviceTier) && serviceTier !== AUTO ? serviceTier : undefined,
  });
}

/** The service tier that a response names until it is known which one serves it. */
const AUTO = "auto";

/** Opening a page and finding something in it are actions of the same tool, but cost nothing. */
function isSearch(item: unknown): boolean {
  const action = fieldOf(fieldOf(item, "action"), "type") ?? "search";
  return (
    fieldOf(item, "type") === "web_search_call" && action === "search" && fieldOf(item, "status") !== "failed"
  );
}

/** Reads a `usage` object. */
export function openAIUsage(usage: unknown, reading: Reading): Actual {
  if (usage === undefined || usage === null || fieldOf(usage, "type") === "duration") return {};
  const counts = new UsageObject(usage, "usage", "the usage object of an OpenAI answer", reading);
  counts.needsOneOf([CHAT.input, CHAT.output, RESPONSES.input, RESPONSES.output, "total_tokens"]);
  const names = namesIn(counts);
  const total = counts.count("total_tokens");
  const input = detailsOf(counts, names.input);
  const output = detailsOf(counts, names.output);

  const reasoning = output.count("reasoning_tokens") ?? 0;
  // Only the total shows whether the prompt count includes the cache.
  const told = cacheOf(counts, names, input, TOKENS_MAX);
  const cache = told.cached + told.written;
  const audioSeconds = fieldOf(usage, "prompt_audio_seconds");
  const wholes = wholesOf({
    input: counts.count(names.input),
    output: counts.count(names.output),
    total,
    cache,
    apart: Math.max(besidePrompt(counts, names), cacheIn(input)),
    reasoning,
    hasAudio: typeof audioSeconds === "number" && audioSeconds > 0,
  });
  const { cached, written, written1h } = cacheOf(counts, names, input, wholes.inputTokens ?? 0);
  // Only realtime sessions say how much of the audio and images was cached. Otherwise text is assumed cached first, so
  // that no expensive token counts as cached.
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
    // LiteLLM passes on Anthropic's.
    searches: counts.searches,
  });
}

/**
 * How much of the input was read from and written to the cache, including writes for an hour.
 *
 * DeepSeek, Kimi, and gateways in front of Anthropic such as LiteLLM and Portkey put the counts beside that of the
 * prompt. There they count as part of the input if they can be one. Beside `input_tokens`, counts with Anthropic's names
 * are of tokens that `input_tokens` excludes.
 */
function cacheOf(counts: UsageObject, names: typeof CHAT, details: UsageObject, inputTokens: number) {
  const beside = (name: string, most: number) => {
    const count = names === CHAT ? counts.count(name) : undefined;
    return count !== undefined && count <= most ? count : undefined;
  };
  const cached =
    cacheDetails(details).read ??
    beside("prompt_cache_hit_tokens", inputTokens) ??
    beside("cached_tokens", inputTokens) ??
    beside("cache_read_input_tokens", inputTokens) ??
    0;
  // LiteLLM passes on Anthropic's two lifetimes. All others have one.
  const written1h = details.object("cache_creation_token_details").count("ephemeral_1h_input_tokens") ?? 0;
  const written =
    cacheDetails(details).written ?? beside("cache_creation_input_tokens", inputTokens - cached) ?? 0;
  return { cached, written: Math.max(written, written1h), written1h };
}

/** What the details of the input say about the cache. For writes, OpenAI, LiteLLM and Qwen each have another name. */
function cacheDetails(details: UsageObject) {
  return {
    read: details.count("cached_tokens"),
    written:
      details.count("cache_write_tokens") ??
      details.count("cache_creation_tokens") ??
      details.count("cache_creation_input_tokens"),
  };
}

/** The details of a count. Transcriptions and realtime sessions use the singular "token" in the name. */
function detailsOf(counts: UsageObject, tokens: string): UsageObject {
  const details = `${tokens}_details`;
  const ofOneToken = `${tokens.replace(/s$/, "")}_details`;
  return counts.object(counts.has(details) ? details : ofOneToken);
}

/** Which of the two sets of names the counts use. Some answers have both, with zeros under one. */
function namesIn(counts: UsageObject): typeof CHAT {
  const told = ({ input, output }: typeof CHAT) => (counts.count(input) ?? 0) + (counts.count(output) ?? 0);
  const chat = counts.has(CHAT.input) || counts.has(CHAT.output);
  return chat && (told(CHAT) > 0 || told(RESPONSES) === 0) ? CHAT : RESPONSES;
}

/** The cache as Anthropic names it beside the prompt of a chat, read and written together. */
function besidePrompt(counts: UsageObject, names: typeof CHAT): number {
  if (names !== CHAT) return 0;
  return sumOf("usage", counts.count("cache_read_input_tokens"), counts.count("cache_creation_input_tokens"));
}

/** The cache in the details of the input, read and written together. */
function cacheIn(details: UsageObject): number {
  const { read, written } = cacheDetails(details);
  return sumOf("usage", read, written);
}

/** What is told of input and output. */
interface Wholes {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly total: number | undefined;
  readonly cache: number;
  /** The part of the cache that may not be counted in the input. */
  readonly apart: number;
  readonly reasoning: number;
  /** Whether the input has audio that is counted in seconds. */
  readonly hasAudio: boolean;
}

/**
 * Input and output, including what the total has beyond both. That is reasoning not counted in the output, whether it
 * is given or not. It is input if it equals the cache counts and not the reasoning, if no input is given, or if the
 * input has audio in seconds, whose tokens Mistral counts in the total alone.
 *
 * A cache that is larger than the input cannot be a part of it, as with some models of xAI and in older versions of
 * LiteLLM, so it is added: once, also where the total includes it.
 */
function wholesOf(told: Wholes): Pick<Actual, "inputTokens" | "outputTokens"> {
  const { input, output, apart, reasoning } = told;
  if (input === undefined) return { inputTokens: input, outputTokens: output };
  // An embedding gives its total and no output.
  const beyond = Math.max(0, (told.total ?? 0) - input - (output ?? 0));
  const isReasoning = beyond === reasoning;
  if (apart > input && !isReasoning && (beyond === apart || beyond === apart + reasoning))
    return { inputTokens: input + apart, outputTokens: (output ?? 0) + beyond - apart };
  const isInput =
    output !== undefined && !isReasoning && (beyond === told.cache || input === 0 || told.hasAudio);
  const inputTokens = isInput ? input + beyond : input;
  return {
    inputTokens: apart > inputTokens ? sumOf("usage", inputTokens, apart) : inputTokens,
    outputTokens: isInput || told.total === undefined ? output : (output ?? 0) + beyond,
  };
}
