import { addToLatest, Cell, type Cells, numberAt } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind, Part } from "./count-kind.js";
import type { Window } from "./limit.js";
import { beginsAt, type Period } from "./period.js";

/**
 * The time from the first zone to enter a date to the last to leave it: 26 hours. An ended period may still be charged
 * until then.
 */
export const ZONES_APART_MS = 26 * 3_600_000;

/** Before every period and every end of one. */
const NONE = Number.NEGATIVE_INFINITY;

// After the numbers that all counts have, which here are about the latest period:
/** When it ends, plus the time by which reservations outlive the distance between zones. */
const ENDS_AT = 4;
const PREVIOUS_INDEX = 5;
const PREVIOUS_USED = 6;

/**
 * Counts per calendar period: the latest one, and the one before it that was charged last, for calls that are settled
 * after a reset. Nothing was ever charged between the two. So after one call by a clock that was a month ahead, each
 * day until then begins at zero as if that call had not been.
 *
 * A period older than both is not kept. A correction of it goes nowhere, and a charge of it is checked against the
 * latest one and goes there. So a budget may be spent anew by a clock that goes back over two resets, or over one (and
 * by an extension from before it) after a call that was ahead: all in all no more than the latest period has left.
 */
export class CalendarCounts implements CountKind {
  readonly empty = [NONE, NONE, 0, 0, NONE, NONE, 0];

  used(cells: Cells, at: number, _now: number, period: Period | undefined): number {
    const { numbers } = cells;
    const { index } = present(period);
    if (isUncharged(numbers, at, index)) return 0;
    return numberAt(
      numbers,
      at + (index === numberAt(numbers, at + PREVIOUS_INDEX) ? PREVIOUS_USED : Cell.used),
    );
  }

  fitsAt(cells: Cells, at: number, { amount, limit: { max, window }, period }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    if (this.used(cells, at, now, period) + amount <= max) return Number.NEGATIVE_INFINITY;
    const whole = present(period);
    return fitsInPeriod(window, whole, periodWithRoom(cells.numbers, at, whole.index, max - amount));
  }

  emptyAt(_cells: Cells, _at: number, _now: number, period: Period | undefined): number {
    return present(period).endsAt;
  }

  add(cells: Cells, at: number, amount: number, part: Part, period: Period | undefined): number {
    const { numbers } = cells;
    const { index, endsAt } = present(period);
    if (index > numberAt(numbers, at + Cell.from)) {
      numbers[at + PREVIOUS_INDEX] = numberAt(numbers, at + Cell.from);
      numbers[at + PREVIOUS_USED] = numberAt(numbers, at + Cell.used);
      numbers[at + Cell.used] = 0;
      numbers[at + Cell.from] = index;
      // The TTL of whoever begins the period, since a gate gives all its reservations the same one.
      numbers[at + ENDS_AT] = endsAt + Math.max(0, part.expiresAt - part.at - ZONES_APART_MS);
    } else if (isUncharged(numbers, at, index)) {
      numbers[at + PREVIOUS_INDEX] = index;
      numbers[at + PREVIOUS_USED] = 0;
    }
    return index === numberAt(numbers, at + PREVIOUS_INDEX)
      ? addToPrevious(numbers, at, amount)
      : addToLatest(numbers, at, amount);
  }

  correct(
    cells: Cells,
    at: number,
    delta: number,
    part: Part,
    now: number,
    period: Period | undefined,
  ): number {
    const { numbers } = cells;
    const { index } = present(period);
    // Never below zero, which would make room for more than the max: a caller may name another period than the one
    // charged.
    if (index === numberAt(numbers, at + Cell.from))
      addToLatest(numbers, at, Math.max(delta, -numberAt(numbers, at + Cell.used)));
    else if (index === numberAt(numbers, at + PREVIOUS_INDEX))
      addToPrevious(numbers, at, Math.max(delta, -numberAt(numbers, at + PREVIOUS_USED)));
    else if (delta > 0 && isUncharged(numbers, at, index)) this.add(cells, at, delta, part, period);
    return this.used(cells, at, now, period);
  }

  /**
   * A period stays past its end: in a zone further west, to which the org may move, the same date goes on. It also
   * stays until its last reservation has ended, since that may be extended until then.
   */
  idle(cells: Cells, at: number, now: number): boolean {
    return numberAt(cells.numbers, at + ENDS_AT) + ZONES_APART_MS <= now;
  }

  forget(): void {}

  dump(cells: Cells, at: number): readonly (number | null)[] {
    const { numbers } = cells;
    return [
      orNull(numberAt(numbers, at + Cell.from)),
      numberAt(numbers, at + Cell.used),
      orNull(numberAt(numbers, at + PREVIOUS_INDEX)),
      numberAt(numbers, at + PREVIOUS_USED),
      orNull(numberAt(numbers, at + ENDS_AT)),
    ];
  }
}

/** When a charge without room in its period fits, given the index of a later period in which it does. */
export function fitsInPeriod(window: Window, period: Period, index: number): number {
  if (window.kind !== "calendar") throw new Error("a calendar count is of a calendar limit");
  return beginsAt(window.name, window.timeZone, period, index);
}

/**
 * The index of the first later period in which no more than `most` is used. It need not be the next one: an org that
 * has moved west over a date may have spent that one too. The stores do the same: `counting.ts` of Redis,
 * `count-sql.ts`.
 */
function periodWithRoom(numbers: Float64Array, at: number, index: number, most: number): number {
  const latest = numberAt(numbers, at + Cell.from);
  const previous = numberAt(numbers, at + PREVIOUS_INDEX);
  if (index < previous && numberAt(numbers, at + PREVIOUS_USED) <= most) return previous;
  const next = Math.max(index, previous) + 1; // uncharged, unless it is the latest
  return next === latest && numberAt(numbers, at + Cell.used) > most ? latest + 1 : next;
}

/** Whether nothing was charged in a period: it is later than both that are kept, or between them. */
function isUncharged(numbers: Float64Array, at: number, index: number): boolean {
  return index > numberAt(numbers, at + PREVIOUS_INDEX) && index !== numberAt(numbers, at + Cell.from);
}

function addToPrevious(numbers: Float64Array, at: number, amount: number): number {
  const used = numberAt(numbers, at + PREVIOUS_USED) + amount;
  numbers[at + PREVIOUS_USED] = used;
  return used;
}

function orNull(number: number): number | null {
  return number === NONE ? null : number;
}

function present(period: Period | undefined): Period {
  if (period === undefined) throw new Error("a charge against a calendar limit has a period");
  return period;
}
