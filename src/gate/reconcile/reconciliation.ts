import type { LimitReading } from "../../admission/limit-reading.js";

/** Which budgets to compare, and whether to raise counts. */
export interface ReconcileQuery {
  readonly orgId: string;
  /**
   * Only budgets that apply to these keys. Default: every key.
   *
   * A gate with a directory of its own knows only the keys that are in the ledger. Name a key here if it may have calls
   * that the ledger does not contain.
   */
  readonly keyIds?: readonly string[] | undefined;
  /**
   * Raise counts that are below the ledger: to the sum of the calls that have ended and those under way that the
   * counters hold. No count is ever lowered. Default: `false`.
   *
   * After an outage that was counted with `onCountersDown: "local"`, wait until every process has emitted `restored`.
   * What a process has yet to give the counters would otherwise be charged twice.
   */
  readonly rebuild?: boolean | undefined;
  /**
   * Whether a rebuild also adds the estimates of expired calls. Default: `false`.
   *
   * Set it if counts were lost, wholly or in part: what the counters still hold for such calls would otherwise hide a
   * loss of the same size. If the ledger merely lost the end of a call that the counters have, both would be counted,
   * for good.
   */
  readonly withExpired?: boolean | undefined;
}

/** A budget whose count differs from the ledger's sum in its current period. */
export interface BudgetDifference {
  /** The budget, with its count as it was found. */
  readonly limit: LimitReading;
  /** The project of the member, if the budget is a member's. */
  readonly projectId?: string;
  /** What the counters hold, open reservations included, in nano-USD. */
  readonly countersNanoUsd: number;
  /** The cost of the calls whose end the ledger knows, and of those that have expired, in nano-USD. */
  readonly ledgerNanoUsd: number;
  /**
   * The part of that which is estimates of expired calls, in nano-USD. If the ledger lost their ends, they cost less.
   */
  readonly expiredNanoUsd: number;
  /** The estimates of the calls that the ledger knows to be under way, in nano-USD. */
  readonly openNanoUsd: number;
  /** What the counters hold beyond `ledgerNanoUsd` and `openNanoUsd`, in nano-USD. Negative if they hold less. */
  readonly differenceNanoUsd: number;
  /** By how much the count was raised, in nano-USD. 0 while another process rebuilds counts of the org. */
  readonly rebuiltNanoUsd: number;
}

/** A call whose end the ledger does not know: it is under way, or its process died before writing it. */
export interface UnendedCall {
  /** The id of the call's reservation. */
  readonly id: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly model: string;
  /** When it was admitted, in epoch milliseconds. */
  readonly admittedAt: number;
  /** When its reservation ends by itself, in epoch milliseconds. */
  readonly expiresAt: number;
  /** Whether `expiresAt` has passed. If so, reports count its estimate. */
  readonly expired: boolean;
  /** The cost that was reserved for it, in nano-USD. */
  readonly costNanoUsd: number;
}

/** Where counters and ledger disagree. */
export interface Reconciliation {
  /** When they were compared, in epoch milliseconds. */
  readonly at: number;
  /** How many budgets were compared. */
  readonly budgets: number;
  /** The budgets whose count differs from the ledger. */
  readonly differences: readonly BudgetDifference[];
  /**
   * The calls without a known end, of the keys that were asked for: latest first, at most 10,000. They are those of the
   * periods that were compared, and of the last day, or of a reservation's TTL if that is longer.
   */
  readonly unended: readonly UnendedCall[];
}
