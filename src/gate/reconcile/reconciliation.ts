import type { LimitReading } from "../../admission/limit-reading.js";

/** Which budgets to compare. */
export interface ReconcileQuery {
  readonly orgId: string;
  /**
   * Only the budgets over these keys; over every key by default. A gate with a directory of its own knows only the keys
   * that are in the ledger: name them, where a key may have calls and none of them is in it.
   */
  readonly keyIds?: readonly string[] | undefined;
  /**
   * Raise counts that are below the ledger to what it says: to the calls that have ended, and those under way that the
   * counters hold. No count is ever lowered. Not done by default. After an outage that was counted with `onCountersDown: "local"`,
   * wait until every process has told `restored`: what one has yet to give the counters would be charged twice.
   */
  readonly rebuild?: boolean | undefined;
  /**
   * Whether a rebuild adds the estimates of expired calls too. Say so where counts were lost, as a whole or in part: what they still
   * hold for such calls else hides a loss of the same size. Not by default: the counters may have the end of a call that the ledger
   * has lost, and would then have both, for good.
   */
  readonly withExpired?: boolean | undefined;
}

/** A budget whose count is not what the ledger adds up to, in its current period. */
export interface BudgetDifference {
  /** The budget with its count as it was found. */
  readonly limit: LimitReading;
  /** The project of a member. */
  readonly projectId?: string;
  /** What the counters hold, open reservations included. */
  readonly countersNanoUsd: number;
  /** What the calls cost that the ledger knows the end of, or that have expired. */
  readonly ledgerNanoUsd: number;
  /** How much of that are estimates of expired calls: where the ledger has lost their ends, they cost less. */
  readonly expiredNanoUsd: number;
  /** The estimates of the calls that the ledger knows to be under way. */
  readonly openNanoUsd: number;
  /** What the counters hold beyond the two; below zero where they hold less. */
  readonly differenceNanoUsd: number;
  /** By how much the count was raised; nothing while another process rebuilds counts of the org. */
  readonly rebuiltNanoUsd: number;
}

/** A call whose end the ledger does not know: it is under way, or its process died before it could write it. */
export interface UnendedCall {
  /** The reservation's id. */
  readonly id: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly model: string;
  readonly admittedAt: number;
  readonly expiresAt: number;
  /** Whether it is past `expiresAt`: the reports count its estimate then. */
  readonly expired: boolean;
  /** What was reserved for it. */
  readonly costNanoUsd: number;
}

/** Where counters and ledger are not at one. */
export interface Reconciliation {
  readonly at: number;
  /** Budgets that were compared. */
  readonly budgets: number;
  readonly differences: readonly BudgetDifference[];
  /**
   * Of the keys that were asked for, latest first; at most 10,000. Those of the periods that were compared, and of a day, or
   * of the TTL of a reservation where that is longer.
   */
  readonly unended: readonly UnendedCall[];
}
