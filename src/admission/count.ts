import { CalendarCounts } from "./calendar-count.js";
import { Cells } from "./cells.js";
import type { Charge } from "./charge.js";
import type { CountKind, Part } from "./count-kind.js";
import { InFlightCounts } from "./in-flight-count.js";
import { LifetimeCounts } from "./lifetime-count.js";
import type { Window } from "./limit.js";
import type { Period } from "./period.js";
import { SlidingCounts } from "./sliding-count.js";

/** The part of a limit's window that says how it counts. */
type CountedWindow =
  | Pick<Extract<Window, { kind: "sliding" }>, "kind" | "lengthMs">
  | { readonly kind: Exclude<Window["kind"], "sliding"> };

/** How limits with such a window count. */
export function countKind(window: CountedWindow): CountKind {
  switch (window.kind) {
    case "sliding":
      return new SlidingCounts(window.lengthMs);
    case "calendar":
      return new CalendarCounts();
    case "lifetime":
      return new LifetimeCounts();
    case "inFlight":
      return new InFlightCounts();
  }
}

/** What one limit has counted; see {@link CountKind}. */
export class Count {
  readonly #kind: CountKind;
  readonly #cells: Cells;
  readonly #at: number;

  constructor(kind: CountKind, cells: Cells, at: number) {
    this.#kind = kind;
    this.#cells = cells;
    this.#at = at;
  }

  used(now: number, period?: Period): number {
    return this.#kind.used(this.#cells, this.#at, now, period);
  }

  fitsAt(charge: Charge, now: number): number {
    return this.#kind.fitsAt(this.#cells, this.#at, charge, now);
  }

  emptyAt(now: number, period?: Period): number {
    return this.#kind.emptyAt(this.#cells, this.#at, now, period);
  }

  add(amount: number, part: Part, period?: Period): number {
    return this.#kind.add(this.#cells, this.#at, amount, part, period);
  }

  correct(delta: number, part: Part, now: number, period?: Period): number {
    return this.#kind.correct(this.#cells, this.#at, delta, part, now, period);
  }

  idle(now: number): boolean {
    return this.#kind.idle(this.#cells, this.#at, now);
  }

  dump(): readonly (number | null)[] {
    return this.#kind.dump(this.#cells, this.#at);
  }
}

/** A count that has counted nothing. */
export function createCount(window: CountedWindow): Count {
  const kind = countKind(window);
  const cells = new Cells();
  return new Count(kind, cells, cells.take(kind.empty));
}
