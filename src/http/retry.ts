import type { RefusalReason } from "../admission/reasons.js";
import type { Refusal } from "../admission/refusal.js";

/**
 * How long a client refused for parallel calls is told to wait. A slot is free as soon as a call ends, which nobody can
 * foresee; the only end known for certain, the slot's TTL, may be an hour away.
 */
const SLOT_RETRY_MS = 1_000;

/**
 * The longest wait that a client should sit out by itself: that of a sliding minute, which is 61 of its sub-buckets.
 */
const WAIT_MAX_MS = 61_000;

/**
 * The longest `retry-after-ms` that every SDK honours. OpenAI's SDK for Python ignores more than 60,000, and Vercel's
 * AI SDK ignores 60,000 as well; both then retry within seconds and give up. A client that waits slightly too short is
 * refused once more, is told the little that is left, and still has a retry.
 */
const HONOURED_MS = 59_999;

/**
 * The header fields that say whether and when the same call may be sent again. `retry-after` is standard, and exact to
 * the second. `retry-after-ms` is what SDKs read; for a wait that they should sit out, it says no more than they
 * honour.
 */
export function retryHeaders(
  status: number,
  { reason, retryAfterMs }: Pick<Refusal, "reason" | "retryAfterMs">,
): Record<string, string> {
  const waitMs = hintMs(reason, retryAfterMs);
  if (waitMs === undefined) return retriedByItself(status);
  const toldMs = waitMs > WAIT_MAX_MS ? waitMs : Math.min(waitMs, HONOURED_MS);
  return {
    "retry-after": String(Math.ceil(waitMs / 1000)),
    "retry-after-ms": String(Math.ceil(toldMs)),
    ...retriedByItself(status, waitMs),
  };
}

/**
 * `x-should-retry: false` unless a client does well to retry by itself. The SDKs of OpenAI and Anthropic retry every
 * 409, 429 and 5xx without it, and sleep for as long as they are told, even until next month.
 */
export function retriedByItself(status: number, waitMs?: number): Record<string, string> {
  const helps = status >= 500 || (status === 429 && waitMs !== undefined && waitMs <= WAIT_MAX_MS);
  return helps ? {} : { "x-should-retry": "false" };
}

function hintMs(reason: RefusalReason, retryAfterMs: number | undefined): number | undefined {
  if (reason === "queue_full" || reason === "queue_timeout") return retryAfterMs ?? SLOT_RETRY_MS;
  if (reason !== "in_flight_limited") return retryAfterMs;
  return Math.min(SLOT_RETRY_MS, retryAfterMs ?? SLOT_RETRY_MS);
}
