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
    // Not followed: a redirect would take the gateway's key to another host.
    redirect: "manual",
  });
}

/** Whether a failed call never reached the provider, so that nothing can have been billed: there was no connection. */
export function neverReached(error: unknown): boolean {
  const { code, syscall, errors = [] } = Object(Object(error).cause);
  // Where a name has several addresses, each of them has an error of its own.
  const failed = [syscall, ...errors.map((one: unknown) => Object(one).syscall)];
  return code === "UND_ERR_CONNECT_TIMEOUT" || failed.includes("getaddrinfo") || failed.includes("connect");
}
