import type { LimitReading } from "../admission/limit-reading.js";
import { plainRefusal, type Refused } from "../admission/refusal.js";
import type { Reservation } from "../gate/reservation.js";

/**
 * A refusal of the queue, with the limits of the gate's own and the wait that they tell, where there is one. The TTL of slots
 * in flight is no such wait: they are free long before.
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

/** Whether a limit is one of those that a reservation was charged to. */
export function isCharged(limit: LimitReading, { charges }: Reservation): boolean {
  return charges.limits.some(
    ({ scope, scopeId, meter, perModel, window }) =>
      scope === limit.scope &&
      scopeId === limit.scopeId &&
      meter === limit.meter &&
      perModel === limit.perModel &&
      window.name === limit.window,
  );
}

/** Tells limits apart, in whichever answer they are read. */
export function limitName({ scope, scopeId, meter, window, perModel }: LimitReading): string {
  return JSON.stringify([scope, scopeId, meter, window, perModel]);
}

/** The limit that a refusal names, by its name. */
export function shortOf(refusal: Refused | undefined): string | undefined {
  return refusal?.limit && limitName(refusal.limit);
}

/** Whether two refusals name the same limit. */
export function sameLimit(a: Refused | undefined, b: Refused | undefined): boolean {
  return shortOf(a) !== undefined && shortOf(a) === shortOf(b);
}
