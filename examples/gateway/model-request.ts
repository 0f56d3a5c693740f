import { estimateInputTokens, type Usage } from "tollgate";
import { Failure } from "tollgate/http";
import type { Endpoint, Json } from "./endpoint.js";

/** A client's request for a model. */
export interface ModelRequest {
  readonly endpoint: Endpoint;
  /** What goes to the provider, except the model. */
  readonly body: Json;
  /** What the call is about to use. `gate.admit` checks the fields that the client filled in. */
  readonly usage: Usage;
}

/** @throws Failure if the bytes are not a JSON object that names one model, or if its usage would not be seen here */
export function readRequest(endpoint: Endpoint, bytes: unknown): ModelRequest {
  const asked = objectOf(bytes);
  const { model } = asked;
  if (typeof model !== "string") throw invalid("The body is JSON that names a model.");
  if (namesAnother(model, asked)) throw invalid("A request names one model, which may be a virtual one.");
  if (asked.background) throw invalid("A call in the background is not offered.");
  const usage = {
    model,
    inputTokens: estimateInputTokens(asked),
    maxOutputTokens: endpoint.maxOutputTokens(asked) ?? undefined,
    // Anthropic's fast mode is asked for by `speed`.
    serviceTier: asked.speed === "fast" ? "fast" : (asked.service_tier ?? undefined),
  } as Usage; // sound: what the client filled in is unknown here, and admit checks it
  return { endpoint, body: endpoint.bodyOf?.(asked) ?? asked, usage };
}

function objectOf(bytes: unknown): Json {
  try {
    return Object(JSON.parse(bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : ""));
  } catch {
    return {};
  }
}

/**
 * Whether a request would make the provider call a model that the gate is not asked about: Anthropic's `fallbacks` and
 * advisor, OpenRouter's `models`, tools with a model of their own.
 */
function namesAnother(model: string, { fallbacks, models, tools }: Json): boolean {
  const others = [fallbacks, models].flatMap((list) => list ?? []);
  const named = others.map((other) => Object(other).model ?? other);
  const ofTools = [tools].flat().flatMap((tool) => Object(tool).model ?? []);
  return [...named, ...ofTools].some((name) => name !== model);
}

/**
 * The bytes to send for a model: new JSON, made of what the gate has judged. If the client sent a key twice, the provider
 * might otherwise take the other value.
 *
 * @throws Failure if the body is nested too deeply to be written
 */
export function bytesFor({ body }: ModelRequest, model: string): string {
  try {
    return JSON.stringify({ ...body, model });
  } catch {
    throw invalid("The body is nested too deeply.");
  }
}

function invalid(message: string): Failure {
  return new Failure(400, "invalid_request", message);
}
