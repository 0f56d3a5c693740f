import type { Admission, LimitReading, RefusalReason, Refused } from "tollgate";

/** Noon of 15 May 2026. */
export const NOW = Date.UTC(2026, 4, 15, 12);

export function aReading(parts: Partial<LimitReading> = {}): LimitReading {
  return {
    scope: "key",
    scopeId: "k1",
    meter: "requests",
    max: 10,
    used: 4,
    remaining: 6,
    window: "minute",
    resetsAt: NOW + 61_000,
    mode: "enforce",
    ...parts,
  };
}

export function aRefusal(reason: RefusalReason, parts: Partial<Refused> = {}): Refused {
  return { admitted: false, reason, message: `refused for ${reason}`, limits: [], ...parts };
}

/** A refusal by one limit, named and listed. */
export function refusedByLimit(reason: RefusalReason, limit: LimitReading, retryAfterMs?: number): Refused {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return aRefusal(reason, { scope: limit.scope, limit, limits: [limit], ...wait });
}

export function anAdmission(limits: LimitReading[]): Admission {
  return {
    admitted: true,
    reservation: {} as never, // sound: no answer looks into a reservation
    keyId: "k1",
    orgId: "o1",
    projectId: "p1",
    userId: "u1",
    models: ["gpt-4o"],
    contentLogging: true,
    limits,
    shadow: [],
  };
}
