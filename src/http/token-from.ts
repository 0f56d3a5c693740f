import { KEY_PREFIX } from "../model/key-prefix.js";
import { type HeadersLike, headerOf } from "./header-record.js";

/** The headers in which clients put a token besides `Authorization`: Anthropic's, Azure's and Google's. */
const TOKEN_HEADERS = ["x-api-key", "api-key", "x-goog-api-key"] as const;

/**
 * Finds the token that a client sent: in `Authorization: Bearer`, else in `x-api-key`, `api-key` or `x-goog-api-key`.
 *
 * A client that was given the gateway's token may still send one of its own for the provider: Claude Code sends that of
 * its login beside an `x-api-key`. So a token that begins with the prefix goes before others.
 *
 * @param options `keyPrefix`: that of the gate. Default: `sk-tg-`, as the gate's.
 * @returns the token, or `undefined` if there is none. `gate.admit(tokenFrom(headers) ?? "", …)` then refuses the call
 *   like one with a wrong token.
 */
export function tokenFrom(
  headers: HeadersLike,
  { keyPrefix = KEY_PREFIX }: { readonly keyPrefix?: string | undefined } = {},
): string | undefined {
  const [, bearer] = headerOf(headers, "authorization")?.match(/^ *bearer +(\S+) *$/i) ?? [];
  const sent = [bearer, ...TOKEN_HEADERS.map((name) => headerOf(headers, name)?.trim())];
  return sent.find((token) => token?.startsWith(keyPrefix)) ?? sent.find((token) => token);
}
