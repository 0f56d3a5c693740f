import { type Charges, NO_CHARGES } from "../../admission/charge.js";
import type { Limit } from "../../admission/limit.js";
import { type LimitReading, limitReading } from "../../admission/limit-reading.js";
import type { Period } from "../../admission/period.js";
import type { Refusal, Refused } from "../../admission/refusal.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { Degraded, Reservation } from "./reservation.js";

/**
 * The answer of `admit` for a call that may pass.
 *
 * `limits` is a getter that computes its value when read. `{ ...admitted }` and `structuredClone` leave it out;
 * `JSON.stringify` includes it, so copy with `JSON.parse(JSON.stringify(admitted))`.
 */
export interface Admitted {
  readonly admitted: true;
  /**
   * What to settle once the call has ended, or to release if it was never sent. After a `check` nothing was charged,
   * and there is nothing to settle.
   */
  readonly reservation: Reservation;
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  /** The models that the call may use, in the order of fallback. Empty for an MCP server. */
  readonly models: readonly string[];
  /** Whether the gateway may log the content of the call: false if the org, the project or the key forbids it. */
  readonly contentLogging: boolean;
  /** Every limit that the call counts against, with the call itself included. */
  readonly limits: readonly LimitReading[];
  /** What limits in shadow mode would have refused. */
  readonly shadow: readonly Refusal[];
  /** Only while the counters do not answer: the call was counted in this process (`local`) or nowhere (`uncounted`). */
  readonly degraded?: Degraded;
  /**
   * Set if the call has the open reservation of an earlier call with the same `requestId`. Nothing more was charged.
   *
   * Do not release that reservation if this call comes to nothing: it is the earlier call's too.
   */
  readonly replayed?: true;
}

/**
 * The answer of `admit`, `check` and `extend`. `admitted` tells the two forms apart. Some fields are getters;
 * {@link Admitted} says how to copy them.
 */
export type Admission = Admitted | Refused;

/** How a call was counted. */
export interface Counted {
  /** What this step charged. */
  readonly charges: Charges;
  /** The count of each charge after this step. */
  readonly used: readonly number[];
  /**
   * When each count is zero again. Absent if that follows from the moment of the charge, as for every amount above
   * zero.
   */
  readonly resetMs: readonly number[] | undefined;
  /** What limits in shadow mode would have refused. */
  readonly shadow: readonly Refusal[];
  readonly degraded: Degraded | undefined;
  /** Whether an earlier call with the same request id made the reservation. */
  readonly isReplayed?: boolean | undefined;
}

/** For a call that passes without being counted. */
export const UNCOUNTED: Counted = Object.freeze({
  charges: NO_CHARGES,
  used: [],
  resetMs: [],
  shadow: Object.freeze([]),
  degraded: "uncounted",
});

/** An admitted call. Its readings are made when they are read, from the counts at the admission. */
export class AdmittedCall implements Admitted {
  readonly admitted = true;
  readonly reservation: Reservation;
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly models: readonly string[];
  readonly contentLogging: boolean;
  readonly shadow: readonly Refusal[];
  declare readonly degraded?: Degraded;
  declare readonly replayed?: true;
  // Fields of `Counted` rather than the object itself: each further object costs a call time. And whatever a caller does
  // to the reservation, the lists are these.
  readonly #limits: Charges["limits"];
  readonly #periods: Charges["periods"];
  readonly #used: Counted["used"];
  readonly #resetMs: Counted["resetMs"];
  readonly #now: number;

  /** @param now the moment of the call, from which waits are told */
  constructor(reservation: Reservation, contentLogging: boolean, now: number, counted: Counted) {
    this.reservation = reservation;
    this.keyId = reservation.keyId;
    this.orgId = reservation.orgId;
    this.projectId = reservation.projectId;
    this.userId = reservation.userId;
    this.models = reservation.models;
    this.contentLogging = contentLogging;
    this.shadow = counted.shadow;
    if (counted.degraded) this.degraded = counted.degraded;
    if (counted.isReplayed) this.replayed = true;
    this.#limits = counted.charges.limits;
    this.#periods = counted.charges.periods;
    this.#used = counted.used;
    this.#resetMs = counted.resetMs;
    this.#now = now;
  }

  get limits(): LimitReading[] {
    const [used, resetMs, now] = [this.#used, this.#resetMs, this.#now];
    const periods = this.#periods;
    return this.#limits.map((limit, i) => {
      if (resetMs === undefined)
        return readingAfter(limit, periods[i], used[i] ?? 0, now, this.reservation.reservedAt);
      return limitReading(
        limit,
        { used: used[i] ?? 0, resetMs: resetMs[i] ?? Number.POSITIVE_INFINITY },
        now,
      );
    });
  }

  /** Shows in a console what JSON shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): Admitted {
    return this.toJSON();
  }

  toJSON(): Admitted {
    const { admitted, reservation, keyId, orgId, projectId, userId, models, contentLogging, limits, shadow } =
      this;
    return {
      admitted,
      reservation,
      keyId,
      orgId,
      projectId,
      userId,
      models,
      contentLogging,
      limits,
      shadow,
      ...(this.degraded && { degraded: this.degraded }),
      ...(this.replayed && { replayed: true }),
    };
  }
}

/**
 * A limit's state right after something was counted against it.
 *
 * @param now the caller's moment, from which waits are told
 * @param countedAt the counters' moment, never before `now`
 */
export function readingAfter(
  limit: Limit,
  period: Period | undefined,
  used: number,
  now: number,
  countedAt = now,
): LimitReading {
  const { window } = limit;
  let emptyAt = period?.endsAt ?? Number.POSITIVE_INFINITY;
  if (window.kind === "sliding") emptyAt = emptyAfter(window.lengthMs, countedAt);
  return limitReading(limit, { used, resetMs: Math.max(0, emptyAt - now) }, now);
}
