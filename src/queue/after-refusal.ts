import type { Refused } from "../admission/refusal.js";
import type { Answer, Call } from "./call.js";
import { queueRefusal } from "./refusals.js";

/**
 * Whether waiting cannot help a refused call, or not in time. The wait told for a slot in flight does not count, since
 * one may be freed at any moment.
 */
export function isHopeless(
  { deadlineAt }: Pick<Call, "deadlineAt">,
  { reason, retryAfterMs }: Refused,
  now: number,
): boolean {
  if (retryAfterMs === undefined) return true;
  return reason !== "in_flight_limited" && now + retryAfterMs > deadlineAt;
}

/**
 * What becomes of a call that the gate has refused: its answer, or when to ask again.
 *
 * @param pollMs the longest time until the next question for a slot in flight, which another process may free
 * @param isOvertaken whether a settle freed some of the limit while the gate was being asked. It is then asked again at
 *   once, which is one question per settle at most.
 */
export function afterRefusal(
  call: Pick<Call, "deadlineAt">,
  refusal: Refused,
  { now, pollMs, isOvertaken }: { now: number; pollMs: number; isOvertaken: boolean },
): Answer | { readonly askAt: number } {
  if (isHopeless(call, refusal, now)) return { outcome: "refused", admission: refusal };
  if (now >= call.deadlineAt) {
    return { outcome: "timeout", admission: queueRefusal("queue_timeout", refusal) };
  }
  if (isOvertaken) return { askAt: now };
  const { reason, retryAfterMs = 0 } = refusal;
  const waitMs = reason === "in_flight_limited" ? Math.min(retryAfterMs, pollMs) : retryAfterMs;
  return { askAt: now + Math.max(waitMs, 1) }; // a gate of another make that names no time must not be asked without end
}
