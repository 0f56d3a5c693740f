import {
  type Actual,
  anthropicMeter,
  fromAnthropic,
  fromOpenAI,
  openAIMeter,
  type UsageMeter,
} from "tollgate";
import { Failure, type Profile } from "tollgate/http";

export type Json = Readonly<Record<string, unknown>>;

/** One API that the gateway speaks, towards its clients and towards the provider. */
export interface Endpoint {
  readonly path: string;
  /** Whose manner its errors and header fields have. */
  readonly profile: Profile;
  /** Which provider it goes to. */
  readonly provider: "openai" | "anthropic";
  /**
   * Most output tokens that a request asks for.
   *
   * @throws Failure where it cannot be told
   */
  maxOutputTokens(body: Json): unknown;
  /** What to send for a request, where that is not as it came. */
  bodyOf?(body: Json): Json;
  /** What a whole answer says it has used. */
  usageOf(answer: unknown): Actual;
  meter(): UsageMeter;
}

export const chatCompletions: Endpoint = {
  path: "/v1/chat/completions",
  profile: "openai",
  provider: "openai",
  maxOutputTokens: ({ max_completion_tokens, max_tokens, n }) => {
    const answers = answersOf(n);
    const tokens = max_completion_tokens ?? max_tokens ?? (answers > 1 ? OUTPUT_TOKENS : undefined);
    return typeof tokens === "number" ? tokens * answers : tokens;
  },
  // Without the usage there would be only estimates to settle with. The client sees one more chunk, without choices.
  bodyOf: (body) =>
    body.stream ? { ...body, stream_options: { ...Object(body.stream_options), include_usage: true } } : body,
  usageOf: fromOpenAI,
  meter: openAIMeter,
};

export const responses: Endpoint = {
  path: "/v1/responses",
  profile: "openai",
  provider: "openai",
  maxOutputTokens: ({ max_output_tokens }) => max_output_tokens,
  usageOf: fromOpenAI,
  meter: openAIMeter,
};

export const messages: Endpoint = {
  path: "/v1/messages",
  profile: "anthropic",
  provider: "anthropic",
  maxOutputTokens: ({ max_tokens }) => max_tokens,
  usageOf: fromAnthropic,
  meter: anthropicMeter,
};

export const ENDPOINTS: readonly Endpoint[] = [chatCompletions, responses, messages];

/** The manner in which errors of a path are told. */
export function profileOf(path: string): Profile {
  return ENDPOINTS.find((endpoint) => endpoint.path === path)?.profile ?? "openai";
}

/** What the gate estimates of an answer that names no maximum. Of one of several, it cannot know. */
const OUTPUT_TOKENS = 1_024;

/**
 * How many answers to one prompt a request asks for: `n` of them have `n` times the output.
 *
 * @throws Failure where that is no count: a provider may read `"8"` as 8
 */
function answersOf(n: unknown): number {
  const answers = n ?? 1;
  if (typeof answers === "number" && Number.isInteger(answers) && answers > 0) return answers;
  throw new Failure(400, "invalid_request", "n is the number of answers, at least 1.");
}
