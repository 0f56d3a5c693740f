import { entriesOf, type HeadersLike } from "./header-record.js";

/** What a request says about its content and the answer it wants. */
const KEPT: ReadonlySet<string> = new Set([
  "accept",
  "content-type",
  "user-agent",
  "x-client-request-id",
  "x-goog-api-client",
]);

/** Fields that OpenAI and Anthropic define for their APIs, and those with which their SDKs identify themselves. */
const PREFIXES = ["anthropic-", "openai-", "x-stainless-"];

/** These choose whose account pays. That is the gateway's, whatever the client says. */
const ACCOUNT: ReadonlySet<string> = new Set(["openai-organization", "openai-project"]);

/**
 * Picks the headers of a client's request that may go on to a provider: `content-type`, `accept`, `user-agent`,
 * `x-client-request-id`, `x-goog-api-client`, and those that begin with `openai-`, `anthropic-` or `x-stainless-`,
 * except the choice of an account.
 *
 * Everything else is dropped, known or not: tokens, cookies, addresses, what proxies add, and `idempotency-key`, since
 * to the provider two clients that send the same one are a single account. Add the provider's own key, whatever else a
 * provider needs, and `content-encoding` if the bytes are forwarded as they came.
 */
export function upstreamHeaders(headers: HeadersLike): Record<string, string> {
  // Fields about this connection alone (RFC 9110, 7.6.1).
  const entries = entriesOf(headers);
  const connection = entries.flatMap(([name, value]) => (name === "connection" ? value.split(",") : []));
  const dropped = new Set(connection.map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(entries.filter(([name]) => isForProvider(name) && !dropped.has(name)));
}

function isForProvider(name: string): boolean {
  return KEPT.has(name) || (PREFIXES.some((prefix) => name.startsWith(prefix)) && !ACCOUNT.has(name));
}
