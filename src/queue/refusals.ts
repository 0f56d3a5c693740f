import type { Limit } from "../admission/limit.js";
import { limitName } from "../admission/limit-reading.js";
import { plainRefusal, type Refused } from "../admission/refusal.js";
import type { Admission } from "../gate/call/admission.js";
import type { Reservation } from "../gate/call/reservation.js";

/**
 * A refusal of the queue, with the limits and the wait of the gate's last refusal, where there is one. A wait for slots in flight
 * is left out: it is the time to their TTL, and they are usually free long before.
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

/** The limits that a reservation was charged to, by name. */
export function limitsOf({ charges }: Reservation): Set<string> {
  return new Set(charges.limits.map(nameOf));
}

/** The name that readings of a limit have too. */
function nameOf({ scope, scopeId, meter, window, perModel }: Limit): string {
  return limitName({ scope, scopeId, meter, window: window.name, perModel });
}

/**
 * The limits that a call takes something from, by name: a limit stops no amount of zero. A refusal does not say which those
 * are, so of a call that was never let through it is all that apply to it.
 */
export function chargedBy(answer: Admission): string[] {
  if (!answer.admitted) return answer.limits.map(limitName);
  const { limits, amounts } = answer.reservation.charges;
  return limits.flatMap((limit, i) => ((amounts[i] ?? 0) > 0 ? [nameOf(limit)] : []));
}

/** The limit that a refusal names, by its name. */
export function shortOf(refusal: Refused): string | undefined {
  return refusal.limit && limitName(refusal.limit);
}
