import {
  type Actual,
  anthropicMeter,
  fromAnthropic,
  fromOpenAI,
  openAIMeter,
  type UsageMeter,
} from "tollgate";
import type { Profile } from "tollgate/http";

export type Json = Readonly<Record<string, unknown>>;

/** One API that the gateway speaks, towards its clients and towards the provider. */
export interface Endpoint {
  readonly path: string;
  /** Whose manner its errors and header fields have. */
  readonly profile: Profile;
  /** Which provider it goes to. */
  readonly provider: "openai" | "anthropic";
  /** Most output tokens that a request asks for. */
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
  maxOutputTokens: ({ max_completion_tokens, max_tokens, n }) =>
    times(max_completion_tokens ?? max_tokens ?? (Number(n) > 1 ? OUTPUT_TOKENS : undefined), n),
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

/** `n` answers to one prompt have `n` times the output. */
function times(tokens: unknown, n: unknown): unknown {
  return typeof tokens === "number" && typeof n === "number" ? tokens * n : tokens;
}
