import { entriesOf, type HeadersLike, headerOf } from "./header-record.js";
import { TOKEN_HEADERS } from "./token-from.js";

/** What says who the client is to us, and chooses whose account pays; the provider is told that by the gateway. */
const IDENTITY = [
  "authorization",
  ...TOKEN_HEADERS,
  "cookie",
  "openai-organization",
  "openai-project",
  "forwarded",
  "via",
];

/** What is about one connection (RFC 9110, 7.6.1), or is made anew with the upstream request. */
const CONNECTION = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
  "content-length",
  // Whoever sends the request on decides what it can decompress.
  "accept-encoding",
];

const DROPPED: ReadonlySet<string> = new Set([...IDENTITY, ...CONNECTION]);

/**
 * The headers of a client's request that may go on to a provider: nothing that authenticates the client to us, nothing
 * that says where it called from (`x-forwarded-*`), nothing hop-by-hop. Add the provider's own key to what is left.
 */
export function upstreamHeaders(headers: HeadersLike): Record<string, string> {
  const named = (headerOf(headers, "connection") ?? "").toLowerCase().split(",");
  const dropped = new Set(named.map((name) => name.trim()));
  const kept = entriesOf(headers).filter(
    ([name]) => !DROPPED.has(name) && !dropped.has(name) && !name.startsWith("x-forwarded-"),
  );
  return Object.fromEntries(kept);
}
