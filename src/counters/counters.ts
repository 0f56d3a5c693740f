import type { Use } from "../admission/amounts.js";
import type { Charge, Charges, Reading } from "../admission/charge.js";
import type { Part } from "../admission/count-kind.js";
import type { Plan } from "../admission/plan.js";
import type { ReservationIds } from "./reservation-ids.js";

/** What to charge, all or nothing. */
export interface ReserveRequest {
  /**
   * The new reservation's id, or with `extend` that of an open one.
   *
   * A reserve may be sent again, after an answer that was late or lost: the id of an open reservation is answered with that
   * one (`replayed`), the id of a closed one, while it is remembered, with why it is not open. Either charges nothing.
   */
  readonly id: string;
  readonly orgId: string;
  /**
   * Epoch milliseconds. A store with a clock of its own uses that one for sliding windows, slots and the TTL.
   *
   * Either clock is clamped: a call counts at its `now`, or at the latest moment at which any count that it names was
   * charged, if that is later. One moment holds for the whole call.
   */
  readonly now: number;
  /** How long the reservation lives. */
  readonly ttlMs: number;
  readonly charges: readonly Charge[];
  /**
   * While a reservation that was made with the same `key` is open, it is the answer and nothing is charged. A key, like
   * a reservation's id and a `Limit.scopeKey`, is unique over all orgs.
   */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined;
  /** Adds the charges to the open reservation `id` instead of making one; its TTL and its key stay as they are. */
  readonly extend?: boolean;
  /** Answers as it would, and changes nothing, the counters' clock included. */
  readonly dryRun?: boolean;
}

/** What became of a reserve. Only `reserved` has charged anything, and not in a dry run. */
export type ReserveOutcome =
  | {
      readonly outcome: "reserved" | "replayed";
      /** The reservation's id: for `replayed`, that of the one already open. */
      readonly id: string;
      readonly reservedAt: number;
      readonly expiresAt: number;
      /** What the reservation holds: for `replayed`, what was charged then. */
      readonly charges: readonly Charge[];
      /** The count of each charge that was asked for, after it; for `replayed`, of each of `charges`. */
      readonly used: readonly number[];
      /** Milliseconds from `now` until each of these counts is zero by itself; see {@link Reading.resetMs}. */
      readonly resetMs: readonly number[];
      /** A reading from before it for each charge that was asked for, where a limit in shadow mode was short. */
      readonly shadow?: readonly Reading[] | undefined;
    }
  /** At least one enforced limit was short and nothing was changed; a reading for each charge. */
  | { readonly outcome: "refused"; readonly readings: readonly Reading[] }
  /** The idempotency key belongs to an open reservation with another fingerprint. */
  | { readonly outcome: "conflict" }
  /** `extend` named a reservation that is not open, or a reserve was sent again and what it made is closed. */
  | { readonly outcome: NotOpen };

/**
 * Why a reservation is not open. Counters keep `already_settled` for at least the reservation's TTL and `expired` for at
 * least some minutes after it; `unknown_reservation` may follow.
 */
export type NotOpen = "already_settled" | "expired" | "unknown_reservation";

/** What a charge of the reservation really came to. */
export type Amount = Charge;

export interface SettleRequest {
  readonly id: string;
  readonly orgId: string;
  readonly now: number;
  /**
   * The actual amounts. One for each limit that was charged, in the same order and of the same period; then those that
   * were not, such as the limits of the model that a call fell back to. Their limits may have another max by now.
   */
  readonly amounts: readonly Amount[];
}

/** Charges to read for, without making them. */
export interface ReadQuery {
  readonly orgId: string;
  readonly now: number;
  readonly charges: readonly Charge[];
}

/** What became of a settle: the count of each amount after it, or why nothing was changed. */
export type SettleOutcome =
  | {
      readonly outcome: "settled";
      readonly used: readonly number[];
      /** The moment it counted at, from counters that go by the caller's clock and were ahead of the request's `now`. */
      readonly at?: number | undefined;
    }
  | { readonly outcome: NotOpen };

/**
 * Counts in motion: what every limit has used, and the reservations that are open.
 *
 * Each call is one atomic step. `countersConformance` of `tollgate/testing` says what an adapter has to hold. It leaves
 * open how long a period is kept beyond the present one and the one before it.
 */
export interface Counters {
  /** Charges every charge, or none and says how short each is. */
  reserve(request: ReserveRequest): Promise<ReserveOutcome>;
  /** Corrects an open reservation to what was really used, and closes it. Never refuses. */
  settle(request: SettleRequest): Promise<SettleOutcome>;
  /** Reads without changing anything. */
  read(query: ReadQuery): Promise<Reading[]>;
  close(): Promise<void>;
  /** Answers without I/O, so that no time-out has to watch it. */
  readonly inProcess?: boolean;
  /**
   * The short way of counters in this process.
   *
   * @internal
   */
  readonly direct?: DirectCounters | undefined;
}

/**
 * The short way of counters in this process: the steps of nearly every call, without a promise and without a list of
 * charges. Where anything is out of the ordinary it answers `undefined`, changes no count, and {@link Counters} is asked.
 */
export interface DirectCounters {
  /** Makes the ids of what is reserved here. A gate takes its own from it too, so that all are in one order. */
  readonly ids: ReservationIds;
  /** The counters' clock: the moment at which the last step counted. */
  readonly now: number;
  /** Whether a reservation that was made with an idempotency key is open: then {@link Counters} is asked. */
  hasOpened(key: string): boolean;
  /** Charges a use against every limit of the plan, where there is room in all of them. */
  reserve(
    now: number,
    ttlMs: number,
    plan: Plan,
    use: Use,
    idempotency?: ReserveRequest["idempotency"],
  ): DirectReservation | undefined;
  /** What {@link reserve} would come to, which is not done: nothing is charged and the clock stays where it is. */
  foresee(now: number, plan: Plan, use: Use): DirectCharge | undefined;
  /** A reading for each charge, where at least one enforced limit is short of room. Asked after one of the two, at its `now`. */
  refuse(now: number, plan: Plan, charges: Charges): readonly Reading[] | undefined;
  /**
   * Corrects what {@link reserve} gave to what was really used, and closes it. Answers the count of each limit that was charged,
   * after it; an empty list where none was charged more than was reserved, for then nobody has to be told.
   */
  settle(held: DirectReservation, now: number, use: Use): readonly number[] | undefined;
}

/** What a use came to, or would come to. */
export interface DirectCharge {
  /** The moment it is charged at. */
  readonly at: number;
  readonly charges: Charges;
  /** The count of each charge, after it. */
  readonly used: readonly number[];
  /** As of a {@link ReserveOutcome}; absent where it follows from the moment of the charge. */
  readonly resetMs: readonly number[] | undefined;
}

export interface DirectReservation extends DirectCharge, Part {
  /** Made by the counters; the ordinary way knows the reservation by it. */
  readonly id: string;
}
