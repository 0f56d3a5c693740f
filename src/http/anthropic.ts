import type { Meter } from "../model/limits.js";
import type { Form } from "./form.js";
import { tightest } from "./tightest.js";

/** Anthropic's names for what it counts, each with our meter. */
const COUNTED: readonly (readonly [name: string, meter: Meter])[] = [
  ["requests", "requests"],
  ["tokens", "tokens"],
  ["input-tokens", "inputTokens"],
  ["output-tokens", "outputTokens"],
];

/** https://docs.anthropic.com/en/api/errors */
const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
};

/**
 * Answers like Anthropic: `error` with type and message, the exact code in its details, and the header fields
 * `anthropic-ratelimit-*`, whose resets are moments. https://docs.anthropic.com/en/api/rate-limits
 */
export const anthropic: Form = {
  contentType: "application/json",

  body({ status, code, message }) {
    const type = TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error");
    return { type: "error", error: { type, message, details: { error_code: code } } };
  },

  limitHeaders(limits) {
    const headers: Record<string, string> = {};
    for (const [name, meter] of COUNTED) {
      const limit = tightest(limits, meter);
      if (limit === undefined) continue;
      headers[`anthropic-ratelimit-${name}-limit`] = String(limit.max);
      headers[`anthropic-ratelimit-${name}-remaining`] = String(limit.remaining);
      if (limit.resetsAt === undefined) continue;
      headers[`anthropic-ratelimit-${name}-reset`] = moment(limit.resetsAt);
    }
    return headers;
  },
};

/** RFC 3339 in whole seconds, rounded up. */
function moment(ms: number): string {
  return new Date(Math.ceil(ms / 1_000) * 1_000).toISOString().replace(".000Z", "Z");
}
