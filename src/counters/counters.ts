import type { Use } from "../admission/amounts.js";
import type { Charge, Charges, Reading } from "../admission/charge.js";
import type { Part } from "../admission/count-kind.js";
import type { Plan } from "../admission/plan.js";
import type { ReservationIds } from "./reservation-ids.js";

/** What to charge: everything or nothing. */
export interface ReserveRequest {
  /**
   * The id of the new reservation or, with `extend`, of an open one. Unique across all orgs.
   *
   * A reserve may be sent again after a late or lost answer. If its reservation is open, that is the answer
   * (`replayed`); if it is closed and still remembered, the answer says why. Neither charges anything.
   */
  readonly id: string;
  readonly orgId: string;
  /**
   * Epoch milliseconds. A store with a clock of its own uses that one for sliding windows, slots and the TTL.
   *
   * Either clock is clamped. The whole call counts at one moment: its `now`, or the latest moment at which any count
   * that it names was charged, if that is later.
   */
  readonly now: number;
  /** How long the reservation lives, in milliseconds. */
  readonly ttlMs: number;
  readonly charges: readonly Charge[];
  /**
   * Makes retries safe: while a reservation made with the same `key` is open, it is the answer and nothing is charged.
   * If its `fingerprint` differs, the answer is `conflict`. Keys are unique across all orgs.
   */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined;
  /** Add the charges to the open reservation `id` instead of making a new one. Its TTL and its key stay as they are. */
  readonly extend?: boolean | undefined;
  /** Answer as usual but change nothing, not even the counters' clock. */
  readonly dryRun?: boolean | undefined;
}

/** The answer to a reserve. Only `reserved` has charged anything, and not in a dry run. */
export type ReserveOutcome =
  | {
      readonly outcome: "reserved" | "replayed";
      /** The reservation's id. For `replayed`, that of the reservation already open. */
      readonly id: string;
      readonly reservedAt: number;
      readonly expiresAt: number;
      /** What the reservation holds. For `replayed`, what was charged originally. */
      readonly charges: readonly Charge[];
      /** The count of each requested charge after this step. For `replayed`, that of each of `charges`. */
      readonly used: readonly number[];
      /** Milliseconds from `now` until each of these counts is zero by itself; see {@link Reading.resetMs}. */
      readonly resetMs: readonly number[];
      /** If a limit in shadow mode was short: a reading from before this step for each requested charge. */
      readonly shadow?: readonly Reading[] | undefined;
    }
  /** At least one enforced limit was short, and nothing was changed. There is a reading for each charge. */
  | { readonly outcome: "refused"; readonly readings: readonly Reading[] }
  /** The idempotency key belongs to an open reservation with another fingerprint. */
  | { readonly outcome: "conflict" }
  /** `extend` named a reservation that is not open, or a reserve was sent again after its reservation was closed. */
  | { readonly outcome: NotOpen };

/**
 * Why a reservation is not open. `already_settled` is remembered for at least the reservation's TTL, and `expired` for
 * at least some minutes after it. After that, the answer may be `unknown_reservation`.
 */
export type NotOpen = "already_settled" | "expired" | "unknown_reservation";

/** The actual amount for a charge of the reservation. */
export type Amount = Charge;

/** Which reservation to correct, and to what. */
export interface SettleRequest {
  readonly id: string;
  readonly orgId: string;
  readonly now: number;
  /**
   * The actual amounts: first one for each limit that was charged, in the same order and for the same period; then
   * those for limits that were not, such as the limits of the model that a call fell back to. The limits may have
   * another max by now.
   */
  readonly amounts: readonly Amount[];
}

/** The charges to read for. They are not made. */
export interface ReadQuery {
  readonly orgId: string;
  readonly now: number;
  readonly charges: readonly Charge[];
}

/** The answer to a settle: the count of each amount after it, or why nothing was changed. */
export type SettleOutcome =
  | {
      readonly outcome: "settled";
      readonly used: readonly number[];
      /**
       * The moment at which it counted, on the caller's clock. Given if that is later than the request's `now`, since a
       * clock was set back and time never runs backwards for a count.
       */
      readonly at?: number | undefined;
    }
  | { readonly outcome: NotOpen };

/**
 * Keeps counts in motion: what every limit has used, and which reservations are open.
 *
 * Each call is one atomic step. The suite `countersConformance` of `tollgate/testing` defines what an adapter must do.
 * It leaves open how long periods before the previous one are kept.
 */
export interface Counters {
  /** Makes every charge, or none and says how short each limit is. */
  reserve(request: ReserveRequest): Promise<ReserveOutcome>;
  /** Corrects an open reservation to what was really used, and closes it. It is never refused. */
  settle(request: SettleRequest): Promise<SettleOutcome>;
  /**
   * Reads counts without changing anything.
   *
   * @returns a reading for each charge, in the same order
   */
  read(query: ReadQuery): Promise<Reading[]>;
  /** Closes what the counters have opened themselves. A client that the caller gave them stays open. */
  close(): Promise<void>;
  /** Set if it answers without I/O, so that no time-out has to watch it. */
  readonly inProcess?: boolean | undefined;
  /**
   * The short way for counters in this process.
   *
   * @internal
   */
  readonly direct?: DirectCounters | undefined;
}

/**
 * The short way for counters in this process: the steps of nearly every call, without a promise or a list of charges.
 * For anything out of the ordinary it answers `undefined` and changes no count, and {@link Counters} is asked instead.
 */
export interface DirectCounters {
  /** Makes the ids of reservations made here. A gate takes its own ids from it too, so that all are in one order. */
  readonly ids: ReservationIds;
  /** The counters' clock: the moment at which the last step counted. */
  readonly now: number;
  /** Whether a reservation made with an idempotency key is open. If so, {@link Counters} is asked. */
  hasOpened(key: string): boolean;
  /** Charges a use against every limit of the plan, if all of them have room. The use is kept, so it must not change. */
  reserve(
    now: number,
    ttlMs: number,
    plan: Plan,
    use: Use,
    idempotency?: ReserveRequest["idempotency"],
  ): DirectReserved | undefined;
  /** What {@link reserve} would return. Nothing is charged, and the clock stays where it is. */
  foresee(now: number, plan: Plan, use: Use): DirectCharge | undefined;
  /**
   * A reading for each charge, if at least one enforced limit is short. Asked after one of the two above, at its `now`.
   */
  refuse(now: number, plan: Plan, charges: Charges): readonly Reading[] | undefined;
  /**
   * Corrects a reservation of {@link reserve} to what was really used, and closes it. It returns the count of each limit
   * that was charged, or an empty list if no limit was charged more than was reserved, since nobody has to be told
   * then.
   */
  settle(held: DirectReservation, now: number, use: Use): readonly number[] | undefined;
}

/** What a use was charged, or would be. */
export interface DirectCharge {
  /** The moment at which it is charged. */
  readonly at: number;
  /** The count of each limit after this step. */
  readonly used: readonly number[];
  /** As in a {@link ReserveOutcome}. Absent if it follows from the moment of the charge. */
  readonly resetMs: readonly number[] | undefined;
}

/** What a use was charged, and the reservation that says so to a settle: apart, since it is kept much longer. */
export interface DirectReserved extends DirectCharge {
  readonly held: DirectReservation;
}

export interface DirectReservation extends Part {
  /** Made by the counters. {@link Counters} knows the reservation by it. */
  readonly id: string;
}
