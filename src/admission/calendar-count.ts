import { addToLatest, Cell, type Cells, numberAt } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind, Part } from "./count.js";
import type { Period } from "./period.js";

/** From the first zone to enter a date to the last to leave it is 26 hours: until then an ended period may still be charged. */
export const ZONES_APART_MS = 26 * 3_600_000;

/** Before every period, and every end of one. */
const NONE = Number.NEGATIVE_INFINITY;

// Behind what all counts have, which is of the current period:
const ENDS_AT = 4;
const PREVIOUS_INDEX = 5;
const PREVIOUS_USED = 6;

/**
 * Counts per calendar period: the current one, and the one before it for calls that are settled after a reset.
 *
 * A period older than both is no longer kept: a correction of it goes nowhere, and a charge of it (from a clock that
 * went back) goes to the current one. That errs on the side of refusing.
 */
export class CalendarCounts implements CountKind {
  readonly empty = [NONE, NONE, 0, 0, NONE, NONE, 0];

  used(cells: Cells, at: number, _now: number, period: Period | undefined): number {
    const { numbers } = cells;
    const { index } = present(period);
    if (index > numberAt(numbers, at + Cell.from)) return 0;
    return numberAt(
      numbers,
      at + (index === numberAt(numbers, at + PREVIOUS_INDEX) ? PREVIOUS_USED : Cell.used),
    );
  }

  fitsAt(cells: Cells, at: number, { amount, limit: { max }, period }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    const fits = this.used(cells, at, now, period) + amount <= max;
    return fits ? Number.NEGATIVE_INFINITY : present(period).endsAt;
  }

  emptyAt(_cells: Cells, _at: number, _now: number, period: Period | undefined): number {
    return present(period).endsAt;
  }

  add(cells: Cells, at: number, amount: number, _part: Part, period: Period | undefined): number {
    const { numbers } = cells;
    const { index, endsAt } = present(period);
    if (index > numberAt(numbers, at + Cell.from)) {
      numbers[at + PREVIOUS_INDEX] = numberAt(numbers, at + Cell.from);
      numbers[at + PREVIOUS_USED] = numberAt(numbers, at + Cell.used);
      numbers[at + Cell.used] = 0;
      numbers[at + Cell.from] = index;
      numbers[at + ENDS_AT] = endsAt;
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
    // Never below zero, which would be room for more than the max: a caller may name another period than it was charged in.
    if (index === numberAt(numbers, at + Cell.from))
      addToLatest(numbers, at, Math.max(delta, -numberAt(numbers, at + Cell.used)));
    else if (index === numberAt(numbers, at + PREVIOUS_INDEX))
      addToPrevious(numbers, at, Math.max(delta, -numberAt(numbers, at + PREVIOUS_USED)));
    else if (delta > 0 && index > numberAt(numbers, at + Cell.from)) this.add(cells, at, delta, part, period);
    return this.used(cells, at, now, period);
  }

  /** Not at once when the period ends: in a zone further west, which the org may move to, the same date goes on. */
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
