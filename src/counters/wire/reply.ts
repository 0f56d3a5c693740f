import { fitsInPeriod } from "../../admission/calendar-count.js";
import { type Charge, hasEnded, type Reading } from "../../admission/charge.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { NotOpen } from "../counters.js";
import { type Counted, foreseen } from "../foreseen.js";

/**
 * What the first element of a reply to a reserve means, and what follows it:
 *
 * ```
 * reserved            now, server's time, used of each charge, emptyAt of each sliding charge of nothing
 * reservedInShadow    the same, then the readings from before
 * refused, foreseen   now, server's time, then the readings: used, fitsAt, emptyAt of each charge. fitsAt is 0 if the
 *                     charge fits now, emptyAt if the count is zero now; either is -1 if time alone does not do that.
 *                     A store knows no time zones: fitsAt of a calendar charge is how much higher the index of the
 *                     period in which it fits is than that of the charge's own
 * look                which open reservation is the answer
 * unplanned           which plans are needed
 * ```
 *
 * A reservation that is (or would be) extended has its record at the end; see `record.ts`.
 */
export const STATUS = {
  reserved: 0,
  refused: 1,
  reservedInShadow: 2,
  look: 3,
  alreadySettled: 4,
  expired: 5,
  unknown: 6,
  foreseen: 7,
  unplanned: 8,
} as const;

/** A reply as a store gives it. Numbers may come as strings if its client is set to that. */
export type Reply = readonly unknown[];

export function notOpenFrom(status: number): NotOpen {
  if (status === STATUS.alreadySettled) return "already_settled";
  if (status === STATUS.expired) return "expired";
  if (status === STATUS.unknown) return "unknown_reservation";
  throw new Error(`a store of counts replied with status ${status}`);
}

/** The moments from which waits in a reply are measured. */
export interface Clocks {
  /** The counters' clock. */
  readonly now: number;
  /** The caller's clock, which decides about calendar periods. */
  readonly callerNow: number;
  /** The clock for all other counts, as it was read for this call: the server's, or the caller's. */
  readonly base: number;
}

/** The readings in a reply from position `at` on. */
export function readingsFrom(
  reply: Reply,
  at: number,
  charges: readonly Charge[],
  clocks: Clocks,
): Reading[] {
  return charges.map((charge, i) => {
    const place = at + 3 * i;
    const from = charge.limit.window.kind === "calendar" ? clocks.callerNow : clocks.base;
    return {
      used: Number(reply[place]),
      waitMs: waitMs(charge, Number(reply[place + 1]), from),
      resetMs: resetMs(Number(reply[place + 2]), from),
    };
  });
}

function waitMs(charge: Charge, fitsAt: number, from: number): number {
  if (fitsAt === 0) return 0;
  if (fitsAt < 0 || hasEnded(charge, from)) return Number.POSITIVE_INFINITY;
  const { limit, period } = charge;
  return (period ? fitsInPeriod(limit.window, period, period.index + fitsAt) : fitsAt) - from;
}

function resetMs(emptyAt: number, from: number): number {
  return emptyAt < 0 ? Number.POSITIVE_INFINITY : Math.max(0, emptyAt - from);
}

/** What was counted for each charge, and the readings from before if a limit in shadow mode was short. */
interface CountedWithShadow extends Counted {
  readonly shadow: readonly Reading[] | undefined;
}

/** The counts after charges that were made. */
export function countedFrom(
  reply: Reply,
  charges: readonly Charge[],
  clocks: Clocks,
  inShadow: boolean,
): CountedWithShadow {
  const used: number[] = [];
  const resets: number[] = [];
  let next = 3 + charges.length;
  for (let i = 0; i < charges.length; i++) {
    const { limit, amount, period } = charges[i] as Charge; // sound: i is below the length
    used.push(Number(reply[3 + i]));
    if (limit.window.kind === "sliding") {
      const emptyAt = amount > 0 ? emptyAfter(limit.window.lengthMs, clocks.now) : Number(reply[next++]);
      resets.push(resetMs(emptyAt, clocks.base));
    } else resets.push(period ? resetMs(period.endsAt, clocks.callerNow) : Number.POSITIVE_INFINITY);
  }
  return { used, resetMs: resets, shadow: inShadow ? readingsFrom(reply, next, charges, clocks) : undefined };
}

/** What charges that were not made would have counted. */
export function foreseenFrom(reply: Reply, charges: readonly Charge[], clocks: Clocks): CountedWithShadow {
  const readings = readingsFrom(reply, 3, charges, clocks);
  const short = readings.some(({ waitMs }) => waitMs > 0);
  return { ...foreseen(charges, readings, clocks.now, clocks.base), shadow: short ? readings : undefined };
}

/** Puts values of charges, in the order in which they were sent, back into the order of the request. */
export function inOrder<T>(values: readonly T[], places: readonly number[] | undefined): readonly T[] {
  if (places === undefined) return values;
  const ordered = [...values];
  for (const [i, place] of places.entries()) ordered[place] = values[i] as T; // sound: there are as many
  return ordered;
}
