import { estimateInputTokens, type Usage } from "tollgate";
import { Failure } from "tollgate/http";
import type { Endpoint, Json } from "./endpoint.js";

/** A client's request for a model. */
export interface ModelRequest {
  readonly endpoint: Endpoint;
  /** What goes to the provider, but for the model. */
  readonly body: Json;
  /** What it is about to use. Fields that the client filled in are checked by `gate.admit`. */
  readonly usage: Usage;
}

/** @throws Failure where the bytes are no JSON object that names one model, or what it uses would not be seen here */
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
    // Anthropic asks for its fast mode by `speed`.
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
 * Whether a request would have the provider itself call a model that the gate is not asked about: Anthropic's `fallbacks`
 * and advisor, OpenRouter's `models`, tools with a model of their own.
 */
function namesAnother(model: string, { fallbacks, models, tools }: Json): boolean {
  const others = [fallbacks, models].flatMap((list) => list ?? []);
  const named = others.map((other) => Object(other).model ?? other);
  const ofTools = [tools].flat().flatMap((tool) => Object(tool).model ?? []);
  return [...named, ...ofTools].some((name) => name !== model);
}

/**
 * The bytes to send for a model: JSON made anew of what was judged. Of a key that stands twice in what the client sent,
 * the provider might take the other one.
 *
 * @throws Failure where it is nested too deeply to be written
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
