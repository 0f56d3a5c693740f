import type { IncomingHttpHeaders } from "node:http";
import { upstreamHeaders } from "tollgate/http";
import type { Endpoint } from "./endpoint.js";

/** The address of a provider, and the gateway's key to it. */
export interface Provider {
  /** Without a path, such as `https://api.openai.com`. */
  readonly url: string;
  readonly apiKey: string;
}

/** Where calls go. */
export type Upstream = Readonly<Record<Endpoint["provider"], Provider>>;

/** Sends a request to its provider in the gateway's name: it carries nothing of the client but the request. */
export function send(
  upstream: Upstream,
  { path, provider }: Endpoint,
  body: string,
  headers: IncomingHttpHeaders,
  signal: AbortSignal,
): Promise<Response> {
  const { url, apiKey } = upstream[provider];
  return fetch(url + path, {
    method: "POST",
    headers: {
      ...upstreamHeaders(headers),
      // The body is our own JSON, whatever content type the client gave.
      "content-type": "application/json",
      // Not compressed, so that the meter can read the bytes as they pass.
      "accept-encoding": "identity",
      ...(provider === "anthropic" ? { "x-api-key": apiKey } : { authorization: `Bearer ${apiKey}` }),
    },
    body,
    signal,
    // A redirect would take the gateway's key to another host.
    redirect: "error",
  });
}

/** Whether a failed call never reached the provider, so that nothing can have been billed. */
export function neverReached(error: unknown): boolean {
  const { code } = Object(Object(error).cause);
  return (
    code === "ECONNREFUSED" ||
    code === "ENOTFOUND" ||
    code === "EAI_AGAIN" ||
    code === "UND_ERR_CONNECT_TIMEOUT"
  );
}
