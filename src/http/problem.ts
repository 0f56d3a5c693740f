import type { Window } from "../admission/limit.js";
import type { LimitReading } from "../admission/limit-reading.js";
import type { Meter } from "../model/limits.js";
import type { Form } from "./form.js";

/** Registered by draft-ietf-httpapi-ratelimit-headers-11, section 6. */
const QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/** The phrases of RFC 9110 and 6585, which are the titles of `about:blank` problems. */
const PHRASES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/**
 * Answers like the IETF's specifications: a problem of RFC 9457, of type quota-exceeded if a limit refused, and the
 * header fields `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11. `code` is the exact
 * reason.
 */
export const problem: Form = {
  contentType: "application/problem+json",

  body({ status, code, message, limit }) {
    const title = PHRASES[status] ?? "Error";
    if (limit === undefined) return { type: "about:blank", title, status, detail: message, code };
    return {
      type: QUOTA_EXCEEDED,
      title: "Request cannot be satisfied as assigned quota has been exceeded",
      status,
      detail: message,
      code,
      "violated-policies": [policyName(limit)],
    };
  },

  limitHeaders(limits, named, now) {
    const listed = listedOf(limits, named);
    if (listed.length === 0) return {};
    return {
      "ratelimit-policy": listed.map(policyOf).join(", "),
      ratelimit: listed.map((limit) => stateOf(limit, now)).join(", "),
    };
  },
};

/**
 * The most limits in one header field. With limits per model at every scope there may be hundreds, and proxies cut at 8
 * kB.
 */
const LISTED_MAX = 16;

/**
 * The enforced limits, the tightest first. A budget is listed only if it refused the call: holding a key does not
 * entitle somebody to see what the org has spent.
 */
function listedOf(limits: readonly LimitReading[], named: LimitReading | undefined): LimitReading[] {
  const name = named && policyName(named);
  return limits
    .filter((limit) => limit.mode === "enforce" && (limit.meter !== "cost" || policyName(limit) === name))
    .map((limit) => ({
      limit,
      left: policyName(limit) === name ? -1 : limit.remaining / Math.max(1, limit.max),
    }))
    .sort((a, b) => a.left - b.left)
    .slice(0, LISTED_MAX)
    .map(({ limit }) => limit);
}

/** For example `key-requests-minute`, or with a pattern `key-requests-minute:openai%2F*`. */
function policyName({ scope, meter, window, perModel }: LimitReading): string {
  const name = `${scope}-${meter}-${window}`;
  return perModel === undefined ? name : `${name}:${encodeURIComponent(perModel.toWellFormed())}`;
}

/** The quota unit. Requests are the draft's default; `concurrent-requests` is its name for parallel calls. */
const UNITS: Readonly<Record<Meter, string | undefined>> = {
  requests: undefined,
  tokens: "tokens",
  inputTokens: "input-tokens",
  outputTokens: "output-tokens",
  cost: "micro-usd",
  inFlight: "concurrent-requests",
};

type SlidingName = Extract<Window, { kind: "sliding" }>["name"];

/** The length of each sliding window. Only these have one that is always the same. */
const WINDOW_SECONDS: Readonly<Partial<Record<Window["name"], number>>> = {
  minute: 60,
  day: 86_400,
} satisfies Record<SlidingName, number>;

function policyOf(limit: LimitReading): string {
  const unit = UNITS[limit.meter];
  const seconds = WINDOW_SECONDS[limit.window];
  return [
    `"${policyName(limit)}"`,
    `q=${quantity(limit, limit.max)}`,
    ...(seconds === undefined ? [] : [`w=${seconds}`]),
    ...(unit === undefined ? [] : [`qu="${unit}"`]),
  ].join(";");
}

function stateOf(limit: LimitReading, now: number): string {
  const { resetsAt } = limit;
  const reset = resetsAt === undefined ? "" : `;t=${Math.max(0, Math.ceil((resetsAt - now) / 1_000))}`;
  return `"${policyName(limit)}";r=${quantity(limit, limit.remaining)}${reset}`;
}

/**
 * An Integer of RFC 9651 has at most 15 digits. Nano-USD would not fit, so money is given in millionths of a dollar.
 */
const INTEGER_MAX = 999_999_999_999_999;

function quantity({ meter }: LimitReading, amount: number): number {
  return Math.min(INTEGER_MAX, meter === "cost" ? Math.floor(amount / 1_000) : amount);
}
