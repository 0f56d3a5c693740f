import type { Meter } from "../model/limits.js";
import type { Form } from "./form.js";
import { tightest } from "./tightest.js";
import type { Told } from "./told.js";

/**
 * Answers like OpenAI: `error` with type, code and message, and the header fields `x-ratelimit-*`, whose resets are
 * durations such as `6m0s`. https://platform.openai.com/docs/guides/rate-limits
 */
export const openai: Form = {
  contentType: "application/json",

  body(told) {
    return { error: { message: told.message, type: typeOf(told), param: null, code: codeOf(told) } };
  },

  limitHeaders(limits, _named, now) {
    const headers: Record<string, string> = {};
    for (const meter of ["requests", "tokens"] as const) {
      const limit = tightest(limits, meter);
      if (limit === undefined) continue;
      headers[`x-ratelimit-limit-${meter}`] = String(limit.max);
      headers[`x-ratelimit-remaining-${meter}`] = String(limit.remaining);
      if (limit.resetsAt === undefined) continue;
      headers[`x-ratelimit-reset-${meter}`] = duration(Math.max(0, limit.resetsAt - now));
    }
    return headers;
  },
};

/** A duration in Go's notation: `250ms`, `1.5s`, `6m0s`, `1h0m0s`. */
function duration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole < 1_000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = (whole % 60_000) / 1_000;
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}

/** OpenAI's own code if it has one for this, since clients branch on it. Otherwise ours. */
function codeOf({ code, limit }: Told): string {
  switch (code) {
    case "invalid_key":
      return "invalid_api_key";
    case "model_not_allowed":
      return "model_not_found";
    case "rate_limited":
    case "in_flight_limited":
      return "rate_limit_exceeded";
    case "too_large":
      return limit?.meter === "cost" ? "insufficient_quota" : "rate_limit_exceeded";
    case "budget_exceeded":
    case "credits_exhausted":
      return "insufficient_quota";
    default:
      return code;
  }
}

/** For a rate limit, what it counts, as OpenAI does it. */
function typeOf(told: Told): string {
  if (told.status >= 500) return "server_error";
  const code = codeOf(told);
  if (code === "insufficient_quota") return code;
  if (told.status !== 429) return "invalid_request_error";
  return told.limit === undefined ? "tokens" : TYPES[told.limit.meter];
}

const TYPES: Readonly<Record<Meter, "requests" | "tokens">> = {
  requests: "requests",
  inFlight: "requests",
  tokens: "tokens",
  inputTokens: "tokens",
  outputTokens: "tokens",
  cost: "tokens",
};
