import { type HeadersLike, headerOf } from "./header-record.js";

/** Where clients put a token besides `Authorization`: Anthropic's, Azure's and Google's. */
const TOKEN_HEADERS = ["x-api-key", "api-key", "x-goog-api-key"] as const;

/**
 * The token that a client sent: `Authorization: Bearer`, else `x-api-key`, `api-key` or `x-goog-api-key`.
 *
 * @returns undefined where there is none. `gate.admit(tokenFrom(headers) ?? "", …)` then refuses it like any wrong one.
 */
export function tokenFrom(headers: HeadersLike): string | undefined {
  const [, bearer] = headerOf(headers, "authorization")?.match(/^ *bearer +(\S+) *$/i) ?? [];
  if (bearer !== undefined) return bearer;
  for (const name of TOKEN_HEADERS) {
    const token = headerOf(headers, name)?.trim();
    if (token) return token;
  }
  return undefined;
}
