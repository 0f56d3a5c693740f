import { type Limit, sameCount } from "./limit.js";
import type { Period } from "./period.js";

/** An amount to count against one limit. */
export interface Charge {
  readonly limit: Limit;
  /** Requests, tokens, slots or nano-USD, as the limit's meter says. A whole number, zero or more. */
  readonly amount: number;
  /** The calendar period of the admission; there exactly where the limit's window is a calendar one. */
  readonly period?: Period | undefined;
}

/** The charges of one call side by side. Calls of one plan share `limits`, those of one period `periods` too. */
export interface Charges {
  readonly limits: readonly Limit[];
  /** For each limit, as {@link Charge.amount}. */
  readonly amounts: readonly number[];
  /** For each limit, as {@link Charge.period}. */
  readonly periods: readonly (Period | undefined)[];
}

export const NO_CHARGES: Charges = Object.freeze({
  limits: Object.freeze([]),
  amounts: Object.freeze([]),
  periods: Object.freeze([]),
});

/** Charges one by one. */
export function chargeList({ limits, amounts, periods }: Charges): Charge[] {
  return limits.map((limit, i) => ({ limit, amount: amounts[i] ?? 0, period: periods[i] }));
}

/** Charges side by side. */
export function sideBySide(charges: readonly Charge[]): Charges {
  return {
    limits: charges.map(({ limit }) => limit),
    amounts: charges.map(({ amount }) => amount),
    periods: charges.map(({ period }) => period),
  };
}

/** Whether a charge is of a period that has ended, of a call that goes on after it: that gets no room any more. */
export function hasEnded({ period }: Charge, callerNow: number): boolean {
  return period !== undefined && period.endsAt <= callerNow;
}

/** What stands on the count of one charge. */
export interface Reading {
  /** The count now, overdrafts included. */
  readonly used: number;
  /**
   * Milliseconds from `now` until the charge's amount fits if nothing else happens: 0 where it fits now, `Infinity`
   * where it never will, such as in a period that has ended.
   */
  readonly waitMs: number;
  /**
   * Milliseconds from `now` until the count is zero if nothing else happens: of a calendar limit until its period ends, even
   * where nothing is counted now. `Infinity` where time does not do that.
   */
  readonly resetMs: number;
}

/** The same charges, against those of the `known` limits that are of the same counts: counters may have seen only a share of a limit. */
export function withLimitsOf(charges: Charges, ...known: readonly Charges[]): Charges {
  const all = known.flatMap(({ limits }) => limits);
  const limits = charges.limits.map((limit) => all.find((one) => sameCount(one, limit)) ?? limit);
  return { ...charges, limits };
}
