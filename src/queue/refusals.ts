import type { Limit } from "../admission/limit.js";
import { limitName } from "../admission/limit-reading.js";
import { plainRefusal, type Refused } from "../admission/refusal.js";
import type { Admission } from "../gate/call/admission.js";
import type { Reservation } from "../gate/call/reservation.js";

/**
 * A refusal of the queue, with the limits and the wait of the gate's last refusal, if there was one. A wait for
 * in-flight slots is left out: it is the time until they expire, and they are usually free long before.
 */
export function queueRefusal(reason: "queue_full" | "queue_timeout", refusal: Refused | undefined): Refused {
  const plain = plainRefusal(reason);
  if (refusal === undefined) return plain;
  const { reason: cause, scope, limit, limits, retryAfterMs } = refusal;
  return {
    ...plain,
    limits,
    ...(scope !== undefined && { scope }),
    ...(limit !== undefined && { limit }),
    ...(retryAfterMs !== undefined && cause !== "in_flight_limited" && { retryAfterMs }),
  };
}

/** The names of the limits that a reservation was charged to. */
export function limitsOf({ charges }: Reservation): Set<string> {
  return new Set(charges.limits.map(nameOf));
}

/** The name that readings of the limit have as well. */
function nameOf({ scope, scopeId, meter, window, perModel }: Limit): string {
  return limitName({ scope, scopeId, meter, window: window.name, perModel });
}

/**
 * The names of the limits that a call takes something from, since a limit never refuses zero. A refusal does not say
 * which those are, so for a call that was never let through it is every limit that applies.
 */
export function limitsChargedBy(answer: Admission): string[] {
  if (!answer.admitted) return answer.limits.map(limitName);
  const { limits, amounts } = answer.reservation.charges;
  return limits.flatMap((limit, i) => ((amounts[i] ?? 0) > 0 ? [nameOf(limit)] : []));
}

/** The name of the limit that a refusal names. */
export function shortOf(refusal: Refused): string | undefined {
  return refusal.limit && limitName(refusal.limit);
}
