import { entriesOf, type HeadersLike } from "./header-record.js";

/** What a request says of its content and of the answer it wants. */
const KEPT: ReadonlySet<string> = new Set([
  "accept",
  "content-type",
  "user-agent",
  "x-client-request-id",
  "x-goog-api-client",
]);

/** Fields that OpenAI and Anthropic have defined for their APIs, and those in which their SDKs tell what they are. */
const PREFIXES = ["anthropic-", "openai-", "x-stainless-"];

/** Whose account pays: the gateway's, whatever the client says. */
const ACCOUNT: ReadonlySet<string> = new Set(["openai-organization", "openai-project"]);

/**
 * The headers of a client's request that may go on to a provider: `content-type`, `accept`, `user-agent`,
 * `x-client-request-id`, `x-goog-api-client`, and what begins with `openai-`, `anthropic-` or `x-stainless-`, except for the
 * choice of an account. Everything else stays here, known or not: tokens, cookies, addresses, what proxies add; and
 * `idempotency-key`, since two clients that send the same one are one account to the provider. Add the
 * provider's own key, whatever more a provider is to see, and `content-encoding` where the bytes go on as they came.
 */
export function upstreamHeaders(headers: HeadersLike): Record<string, string> {
  // What is about this connection alone (RFC 9110, 7.6.1).
  const entries = entriesOf(headers);
  const connection = entries.flatMap(([name, value]) => (name === "connection" ? value.split(",") : []));
  const dropped = new Set(connection.map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(entries.filter(([name]) => isForProvider(name) && !dropped.has(name)));
}

function isForProvider(name: string): boolean {
  return KEPT.has(name) || (PREFIXES.some((prefix) => name.startsWith(prefix)) && !ACCOUNT.has(name));
}
