import type { Actual } from "../../model/usage.js";
import { known, type Reading, some, sumOf, UsageObject } from "./counts.js";
import { fieldOf, isWhole } from "./json.js";

/** Which price a call had, as Vertex AI names the kinds of traffic. Provisioned throughput has none: it is a subscription. */
const SERVICE_TIERS = new Map([
  ["ON_DEMAND", "standard"],
  ["ON_DEMAND_PRIORITY", "priority"],
  ["ON_DEMAND_FLEX", "flex"],
]);

/**
 * What a call has used, from the `usageMetadata` of Gemini's `generateContent`, `embedContent` and Live API, on the Gemini API
 * and on Vertex AI.
 *
 * `promptTokenCount` contains the cached content, but not the prompts of tool use; `candidatesTokenCount` does not contain
 * the thoughts, unless the total is the prompt and the candidates alone. A count of zero is left out by the API, so where a total is told, the output that is not told is what
 * the total has left. The service tier is the one that has served the call, whichever was asked for.
 *
 * @param answer The whole answer, or its `usageMetadata` alone. A usage that is absent or null is `{}`: nothing is known,
 *   and nothing is not zero.
 * @throws ValidationError naming the field that is wrong, and for an object without any count of Gemini's
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function fromGemini(answer: unknown): Actual {
  const whole = isWhole(answer, "usageMetadata", "candidates", "promptFeedback", "embedding", "embeddings");
  const actual = geminiUsage(whole ? fieldOf(answer, "usageMetadata") : answer, "strict");
  const hasNoOutput = whole && (fieldOf(answer, "embedding") ?? fieldOf(answer, "embeddings")) !== undefined;
  return hasNoOutput && actual.inputTokens !== undefined ? { ...actual, outputTokens: 0 } : actual;
}

/** What a `usageMetadata` alone says. */
export function geminiUsage(usage: unknown, reading: Reading): Actual {
  if (usage === undefined || usage === null) return {};
  const counts = new UsageObject(
    usage,
    "usageMetadata",
    "the usageMetadata object of a Gemini answer",
    reading,
  );
  counts.needsOneOf([
    "promptTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
  ]);
  const prompt = counts.count("promptTokenCount");
  const toolUse = counts.count("toolUsePromptTokenCount");
  const inputTokens = prompt === undefined ? undefined : sumOf("usageMetadata", prompt, toolUse);
  const cached = counts.count("cachedContentTokenCount") ?? 0;
  const uncached = Math.max(0, (inputTokens ?? 0) - cached);

  const inputOf = (modality: string) =>
    tokensOf(counts, PROMPT_DETAILS, modality) - tokensOf(counts, ["cacheTokensDetails"], modality);
  const audio = within(inputOf("AUDIO"), uncached);
  const images = within(inputOf("IMAGE"), uncached - audio);
  return known({
    inputTokens,
    cachedInputTokens: some(cached),
    audioInputTokens: some(audio),
    imageInputTokens: some(images),
    outputTokens: outputOf(counts, inputTokens),
    reasoningTokens: some(counts.count("thoughtsTokenCount")),
    audioOutputTokens: some(tokensOf(counts, OUTPUT_DETAILS, "AUDIO")),
    imageOutputTokens: some(tokensOf(counts, OUTPUT_DETAILS, "IMAGE")),
    serviceTier: serviceTierOf(counts),
  });
}

/** The tier that has served the call, which may be another than was asked for. The Gemini API names it, Vertex AI the traffic. */
function serviceTierOf(counts: UsageObject): string | undefined {
  const told = counts.name("serviceTier")?.toLowerCase();
  return told ?? SERVICE_TIERS.get(counts.name("trafficType") ?? "");
}

function outputOf(counts: UsageObject, inputTokens: number | undefined): number | undefined {
  const candidates = counts.count("candidatesTokenCount") ?? counts.count("responseTokenCount");
  const thoughts = counts.count("thoughtsTokenCount");
  const total = counts.count("totalTokenCount");
  if (candidates !== undefined) {
    const hasThoughtsWithin = inputTokens !== undefined && total === inputTokens + candidates;
    return hasThoughtsWithin
      ? Math.max(candidates, thoughts ?? 0)
      : sumOf("usageMetadata", candidates, thoughts);
  }
  if (total !== undefined && inputTokens !== undefined) return Math.max(total - inputTokens, thoughts ?? 0);
  return thoughts;
}

/** Embeddings name theirs after one token. */
const PROMPT_DETAILS = ["promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails"];

/** The Live API has responses for candidates. */
const OUTPUT_DETAILS = ["candidatesTokensDetails", "responseTokensDetails"];

/** The tokens of one modality in the lists by modality. */
function tokensOf(counts: UsageObject, lists: readonly string[], modality: string): number {
  const items = lists.flatMap((list) => counts.objects(list));
  const found = items.filter((item) => item.name("modality") === modality);
  return sumOf("usageMetadata", ...found.map((item) => item.count("tokenCount")));
}

function within(count: number, most: number): number {
  return Math.max(0, Math.min(count, most));
}
