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
  /** The style of its errors and header fields. */
  readonly profile: Profile;
  /** Which provider it goes to. */
  readonly provider: "openai" | "anthropic";
  /**
   * The most output tokens that a request asks for.
   *
   * @throws Failure if the request does not say it clearly
   */
  maxOutputTokens(body: Json): unknown;
  /** What to send for a request, if not the body as it came. */
  bodyOf?(body: Json): Json;
  /** The usage that a whole answer reports. */
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
    return Number.isInteger(tokens) ? Number(tokens) * answers : tokens;
  },
  // Asks for the usage, as there would be only estimates to settle with. The client sees one more chunk, without choices.
  bodyOf: (body) =>
    body.stream ? { ...body, stream_options: { ...optionsOf(body), include_usage: true } } : body,
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

/** The style of the errors of a path. */
export function profileOf(path: string): Profile {
  return ENDPOINTS.find((endpoint) => endpoint.path === path)?.profile ?? "openai";
}

/** @throws Failure if they are no object: each character of a text and each item of a list would become a field of its own */
function optionsOf({ stream_options }: Json): object {
  const options = stream_options ?? {};
  if (typeof options === "object" && !Array.isArray(options)) return options;
  throw new Failure(400, "invalid_request", "stream_options is an object.");
}

/** Output tokens per answer if a request for several names no maximum: the gate's estimate is for one answer. */
const OUTPUT_TOKENS = 1_024;

/**
 * How many answers to one prompt a request asks for: `n` answers have `n` times the output.
 *
 * @throws Failure if `n` is not a count: a provider may read `"8"` as 8
 */
function answersOf(n: unknown): number {
  const answers = n ?? 1;
  if (typeof answers === "number" && Number.isInteger(answers) && answers > 0) return answers;
  throw new Failure(400, "invalid_request", "n is the number of answers, at least 1.");
}
