import { type Limit, sameCount } from "./limit.js";
import type { Period } from "./period.js";

/** An amount to count against one limit. */
export interface Charge {
  readonly limit: Limit;
  /** Requests, tokens, slots or nano-USD, according to the limit's meter. A whole number, zero or more. */
  readonly amount: number;
  /** The calendar period of the admission. Given if and only if the limit's window is a calendar period. */
  readonly period?: Period | undefined;
}

/**
 * The charges of one call as parallel lists. Calls of one plan share `limits`; those in the same periods also share
 * `periods`.
 */
export interface Charges {
  readonly limits: readonly Limit[];
  /** The amount for each limit: see {@link Charge.amount}. */
  readonly amounts: readonly number[];
  /** The period for each limit: see {@link Charge.period}. */
  readonly periods: readonly (Period | undefined)[];
}

export const NO_CHARGES: Charges = Object.freeze({
  limits: Object.freeze([]),
  amounts: Object.freeze([]),
  periods: Object.freeze([]),
});

/** The charges as a list of single ones. */
export function chargeList({ limits, amounts, periods }: Charges): Charge[] {
  return limits.map((limit, i) => ({ limit, amount: amounts[i] ?? 0, period: periods[i] }));
}

/** The charges as parallel lists. */
export function sideBySide(charges: readonly Charge[]): Charges {
  return {
    limits: charges.map(({ limit }) => limit),
    amounts: charges.map(({ amount }) => amount),
    periods: charges.map(({ period }) => period),
  };
}

/**
 * Whether a charge belongs to a period that has ended while its call goes on. There is no more room in such a period.
 */
export function hasEnded({ period }: Charge, callerNow: number): boolean {
  return period !== undefined && period.endsAt <= callerNow;
}

/** The count that one charge goes to, as it is now. */
export interface Reading {
  /** What has been counted, overdrafts included. */
  readonly used: number;
  /**
   * Milliseconds from `now` until the charge's amount fits if nothing else happens. 0 if it fits now; `Infinity` if it
   * never will, as in a period that has ended.
   */
  readonly waitMs: number;
  /**
   * Milliseconds from `now` until the count is zero if nothing else happens. For a calendar limit, until its period
   * ends, even if nothing is counted now. `Infinity` if time alone does not reset it.
   */
  readonly resetMs: number;
}

/**
 * The same charges against the `known` limits of the same counts. Counters may have been shown only a share of a limit.
 */
export function withLimitsOf(charges: Charges, ...known: readonly Charges[]): Charges {
  const all = known.flatMap(({ limits }) => limits);
  const limits = charges.limits.map((limit) => all.find((one) => sameCount(one, limit)) ?? limit);
  return { ...charges, limits };
}
