import type { IncomingHttpHeaders } from "node:http";
import { upstreamHeaders } from "tollgate/http";
import type { Endpoint } from "./endpoint.js";

/** Where one provider is, and the gateway's key to it. */
export interface Provider {
  /** Without a path: `https://api.openai.com`. */
  readonly url: string;
  readonly apiKey: string;
}

/** Where calls go. */
export type Upstream = Readonly<Record<Endpoint["provider"], Provider>>;

/** Sends a request to its provider, as the gateway: of the client there is only what it asks for. */
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
      // Of our own making, whatever the client called what it sent.
      "content-type": "application/json",
      // Not compressed: its bytes go on as they come, and the meter reads along.
      "accept-encoding": "identity",
      ...(provider === "anthropic" ? { "x-api-key": apiKey } : { authorization: `Bearer ${apiKey}` }),
    },
    body,
    signal,
    // Followed, one would take the gateway's key to another host.
    redirect: "error",
  });
}

/** Whether a call that failed like this did not reach the provider, so that nothing can have been billed. */
export function neverReached(error: unknown): boolean {
  const { code } = Object(Object(error).cause);
  return (
    code === "ECONNREFUSED" ||
    code === "ENOTFOUND" ||
    code === "EAI_AGAIN" ||
    code === "UND_ERR_CONNECT_TIMEOUT"
  );
}
