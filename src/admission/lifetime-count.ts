import { addToLatest, Cell, type Cells, numberAt } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind } from "./count-kind.js";

/** Counts that never start again. */
export class LifetimeCounts implements CountKind {
  readonly empty = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];

  used(cells: Cells, at: number): number {
    return numberAt(cells.numbers, at + Cell.used);
  }

  fitsAt(cells: Cells, at: number, { amount, limit: { max } }: Charge): number {
    return this.used(cells, at) + amount <= max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  emptyAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  add(cells: Cells, at: number, amount: number): number {
    return addToLatest(cells.numbers, at, amount);
  }

  correct(cells: Cells, at: number, delta: number): number {
    return this.add(cells, at, delta);
  }

  idle(cells: Cells, at: number): boolean {
    return this.used(cells, at) === 0;
  }

  forget(): void {}

  dump(cells: Cells, at: number): readonly number[] {
    return [this.used(cells, at)];
  }
}
