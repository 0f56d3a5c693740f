import type { Charge, Reading } from "../admission/charge.js";

/** What to charge, all or nothing. */
export interface ReserveRequest {
  /** The new reservation's id, or with `extend` that of an open one. */
  readonly id: string;
  readonly orgId: string;
  /** Epoch milliseconds. A store with a clock of its own uses that one for sliding windows. */
  readonly now: number;
  /** How long the reservation lives. */
  readonly ttlMs: number;
  readonly charges: readonly Charge[];
  /** While a reservation that was made with the same `key` is open, it is the answer and nothing is charged. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: string } | undefined;
  /** Adds the charges to the open reservation `id` instead of making one. */
  readonly extend?: boolean;
  /** Answers as it would, and changes nothing. */
  readonly dryRun?: boolean;
}

export type ReserveOutcome =
  | {
      readonly outcome: "reserved" | "replayed";
      /** The reservation's id: for `replayed`, that of the one already open. */
      readonly id: string;
      readonly reservedAt: number;
      readonly expiresAt: number;
      /** What the reservation holds: for `replayed`, what was charged then. */
      readonly charges: readonly Charge[];
      /** The count of each charge that was asked for, after it. */
      readonly used: readonly number[];
      /** Milliseconds from `now` until each of these counts is zero by itself; see {@link Reading.resetMs}. */
      readonly resetMs: readonly number[];
      /** The readings from before the charge, where a limit in shadow mode was short. */
      readonly shadow?: readonly Reading[] | undefined;
    }
  /** At least one enforced limit was short and nothing was changed; a reading for each charge. */
  | { readonly outcome: "refused"; readonly readings: readonly Reading[] }
  /** The idempotency key belongs to an open reservation with another fingerprint. */
  | { readonly outcome: "conflict" }
  /** `extend` named a reservation that is not open. */
  | { readonly outcome: NotOpen };

export type NotOpen = "already_settled" | "expired" | "unknown_reservation";

/** What a charge of the reservation really came to. */
export type Amount = Charge;

export interface SettleRequest {
  readonly id: string;
  readonly orgId: string;
  readonly now: number;
  /**
   * The actual amounts. One for each limit that was charged, in the same order; then those that were not, such as
   * the limits of the model that a call fell back to.
   */
  readonly amounts: readonly Amount[];
}

/** Charges to read for, without making them. */
export interface ReadQuery {
  readonly orgId: string;
  readonly now: number;
  readonly charges: readonly Charge[];
}

export type SettleOutcome =
  | { readonly outcome: "settled"; readonly used: readonly number[] }
  | { readonly outcome: NotOpen };

/**
 * Counts in motion: what every limit has used, and the reservations that are open.
 *
 * Each call is one atomic step. See `docs/architecture.md` for what an adapter has to hold.
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
}
