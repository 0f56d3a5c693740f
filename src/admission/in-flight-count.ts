import { type Cells, NO_LIST, numberAt } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind, Part } from "./count-kind.js";

/** After the numbers that all counts have: the handle of the list. */
const SLOTS = 4;

/**
 * Counts open calls: one slot per reservation, free again when it is settled or its TTL has passed. The list of a count
 * holds when each slot frees itself, ascending.
 */
export class InFlightCounts implements CountKind {
  /** Nothing is ever the latest part, since each slot has an end of its own. */
  readonly empty = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0, 0];

  used(cells: Cells, at: number, now: number): number {
    const expiries = expiriesOf(cells, at);
    return expiries.length - after(expiries, now);
  }

  /** The slots' own expiry is the only end that is known. A settle before it lets the call in earlier. */
  fitsAt(cells: Cells, at: number, { amount, limit: { max } }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    const tooMany = this.used(cells, at, now) + amount - max;
    if (tooMany <= 0) return Number.NEGATIVE_INFINITY;
    const expiries = expiriesOf(cells, at);
    return expiries[after(expiries, now) + tooMany - 1] as number; // sound: tooMany is at most used
  }

  emptyAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(cells: Cells, at: number, amount: number, part: Part): number {
    const { numbers } = cells;
    if (numbers[at + SLOTS] === NO_LIST) numbers[at + SLOTS] = cells.takeList([]);
    const expiries = expiriesOf(cells, at);
    expiries.splice(0, after(expiries, part.at));
    for (let slot = 0; slot < amount; slot++)
      expiries.splice(after(expiries, part.expiresAt), 0, part.expiresAt);
    return expiries.length;
  }

  correct(cells: Cells, at: number, delta: number, part: Part, now: number): number {
    if (delta > 0) this.add(cells, at, delta, { at: now, expiresAt: part.expiresAt });
    const expiries = expiriesOf(cells, at);
    const first = after(expiries, part.expiresAt - 1);
    for (let slot = 0; slot < -delta && expiries[first] === part.expiresAt; slot++) expiries.splice(first, 1);
    return this.used(cells, at, now);
  }

  idle(cells: Cells, at: number, now: number): boolean {
    return this.used(cells, at, now) === 0;
  }

  forget(cells: Cells, at: number): void {
    cells.giveBackList(numberAt(cells.numbers, at + SLOTS));
  }

  dump(cells: Cells, at: number): readonly number[] {
    return expiriesOf(cells, at);
  }
}

function expiriesOf(cells: Cells, at: number): number[] {
  return cells.list(numberAt(cells.numbers, at + SLOTS));
}

/** Index of the first slot that is still taken at `now`, by bisection. */
function after(expiries: readonly number[], now: number): number {
  let low = 0;
  let high = expiries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numberAt(expiries, middle) <= now) low = middle + 1;
    else high = middle;
  }
  return low;
}
