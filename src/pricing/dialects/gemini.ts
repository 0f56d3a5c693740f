import type { Actual } from "../../model/usage.js";
import { known, type Reading, some, sumOf, UsageObject } from "./counts.js";
import { fieldOf, isWhole } from "./json.js";

/**
 * The service tier for each kind of traffic that Vertex AI names. Provisioned throughput has none: it is a
 * subscription.
 */
const SERVICE_TIERS = new Map([
  ["ON_DEMAND", "standard"],
  ["ON_DEMAND_PRIORITY", "priority"],
  ["ON_DEMAND_FLEX", "flex"],
]);

/**
 * Reads what a call has used from the `usageMetadata` of Gemini's `generateContent`, `embedContent` or Live API, on the
 * Gemini API or Vertex AI.
 *
 * `promptTokenCount` includes cached content but not the prompts of tool use, which are added. `candidatesTokenCount`
 * excludes thoughts, which are added too, unless the total is the sum of prompt and candidates. The API leaves out
 * counts of zero, so a missing output count is what remains of the total. The service tier is the one that served the
 * call, which may differ from the one requested.
 *
 * @param answer The whole answer, or its `usageMetadata` alone. If the usage is absent or null, the result is `{}`:
 *   what is unknown is not zero.
 * @throws ValidationError naming the field that is wrong, or if the object has none of Gemini's counts.
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function fromGemini(answer: unknown): Actual {
  const whole = isWhole(answer, "usageMetadata", "candidates", "promptFeedback", "embedding", "embeddings");
  const actual = geminiUsage(whole ? fieldOf(answer, "usageMetadata") : answer, "strict");
  const hasNoOutput = whole && (fieldOf(answer, "embedding") ?? fieldOf(answer, "embeddings")) !== undefined;
  return hasNoOutput && actual.inputTokens !== undefined ? { ...actual, outputTokens: 0 } : actual;
}

/** Reads a `usageMetadata` object. */
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

/**
 * The tier that served the call, which may differ from the one requested. The Gemini API names the tier, Vertex AI the
 * kind of traffic.
 */
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

/** Embeddings use the singular "Token" in the name of theirs. */
const PROMPT_DETAILS = ["promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails"];

/** The Live API says "response" instead of "candidates". */
const OUTPUT_DETAILS = ["candidatesTokensDetails", "responseTokensDetails"];

/** The tokens of one modality in lists by modality. */
function tokensOf(counts: UsageObject, lists: readonly string[], modality: string): number {
  const items = lists.flatMap((list) => counts.objects(list));
  const found = items.filter((item) => item.name("modality") === modality);
  return sumOf("usageMetadata", ...found.map((item) => item.count("tokenCount")));
}

function within(count: number, most: number): number {
  return Math.max(0, Math.min(count, most));
}
