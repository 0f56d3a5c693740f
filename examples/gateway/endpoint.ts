import {
  type Actual,
  anthropicMeter,
  estimateInputTokens,
  fromAnthropic,
  fromOpenAI,
  type MeterOptions,
  openAIMeter,
  type Usage,
  type UsageMeter,
} from "tollgate";
import { Failure, type Profile } from "tollgate/http";

type Json = Readonly<Record<string, unknown>>;

/** One API that the gateway speaks, towards its clients and towards the provider. */
export interface Endpoint {
  readonly path: string;
  /** Whose manner its errors and header fields have. */
  readonly profile: Profile;
  /** Which provider it goes to. */
  readonly provider: "openai" | "anthropic";
  /** Most output tokens that a request asks for. */
  maxOutputTokens(body: Json): unknown;
  /** What a request needs for its stream to tell the usage. */
  readonly streamOptions?: Json;
  /** What a whole answer says it has used. */
  usageOf(usage: unknown): Actual;
  meter(options: MeterOptions): UsageMeter;
}

export const chatCompletions: Endpoint = {
  path: "/v1/chat/completions",
  profile: "openai",
  provider: "openai",
  maxOutputTokens: ({ max_completion_tokens, max_tokens, n }) =>
    times(max_completion_tokens ?? max_tokens, n),
  // Without it there would be only estimates to settle with. The client sees one more chunk, without choices.
  streamOptions: { stream_options: { include_usage: true } },
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

/** `n` answers to one prompt have `n` times the output. */
function times(tokens: unknown, n: unknown): unknown {
  return typeof tokens === "number" && typeof n === "number" ? tokens * n : tokens;
}

/** A client's request for a model, as it came. */
export interface ModelRequest {
  readonly endpoint: Endpoint;
  readonly bytes: Uint8Array;
  readonly body: Json;
  /** What it is about to use. Fields that the client filled in are checked by `gate.admit`. */
  readonly usage: Usage;
}

/** @throws Failure where the bytes are no JSON object that names a model */
export function readRequest(endpoint: Endpoint, bytes: unknown): ModelRequest {
  const text = bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : "";
  const body = objectOf(text);
  const { model } = body;
  if (typeof model !== "string")
    throw new Failure(400, "invalid_request", "The body is JSON that names a model.");
  const usage = {
    model,
    inputTokens: estimateInputTokens(body),
    maxOutputTokens: endpoint.maxOutputTokens(body) ?? undefined,
  } as Usage; // sound: what the client filled in is unknown here, and admit checks it
  return { endpoint, bytes: bytes as Uint8Array, body, usage }; // sound: other bytes name no model
}

function objectOf(text: string): Json {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The bytes to send for a model: as they came, unless the model is another or the stream would not tell its usage. */
export function bytesFor({ endpoint, bytes, body }: ModelRequest, model: string): Uint8Array | string {
  const more = body.stream === true && body.stream_options === undefined ? endpoint.streamOptions : undefined;
  return more === undefined && model === body.model ? bytes : JSON.stringify({ ...body, ...more, model });
}
