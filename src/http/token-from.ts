import { type HeadersLike, headerOf } from "./header-record.js";

/** The headers in which clients put a token besides `Authorization`: Anthropic's, Azure's and Google's. */
const TOKEN_HEADERS = ["x-api-key", "api-key", "x-goog-api-key"] as const;

/**
 * Finds the token that a client sent: in `Authorization: Bearer`, else in `x-api-key`, `api-key` or `x-goog-api-key`.
 *
 * @returns the token, or `undefined` if there is none. `gate.admit(tokenFrom(headers) ?? "", …)` then refuses the call
 *   like one with a wrong token.
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
