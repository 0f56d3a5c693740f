import type { Charge } from "./charge.js";
import type { Count, Part } from "./count.js";
import type { Period } from "./period.js";

/** From the first zone to enter a date to the last to leave it is 26 hours. */
const ZONES_APART_MS = 26 * 3_600_000;

/**
 * A count per calendar period: the current one, and the one before it for calls that are settled after a reset.
 *
 * A period older than both is no longer kept: a correction of it goes nowhere, and a charge of it (from a clock that
 * went back) goes to the current one. That errs on the side of refusing.
 */
export class CalendarCount implements Count {
  readonly field: string;
  #current: Period | undefined;
  #used = 0;
  #previous: Period | undefined;
  #previousUsed = 0;

  constructor(field: string) {
    this.field = field;
  }

  used(_now: number, period: Period | undefined): number {
    const { index } = present(period);
    if (this.#current === undefined || index > this.#current.index) return 0;
    return index === this.#previous?.index ? this.#previousUsed : this.#used;
  }

  fitsAt({ amount, limit: { max }, period }: Charge, now: number): number {
    if (amount > max) return Number.POSITIVE_INFINITY;
    return this.used(now, period) + amount <= max ? Number.NEGATIVE_INFINITY : present(period).endsAt;
  }

  emptyAt(_now: number, period: Period | undefined): number {
    return present(period).endsAt;
  }

  add(amount: number, part: Part, period: Period | undefined): number {
    const charged = present(period);
    if (this.#current === undefined || charged.index > this.#current.index) {
      this.#previous = this.#current;
      this.#previousUsed = this.#used;
      this.#current = charged;
      this.#used = 0;
    }
    if (charged.index === this.#previous?.index) this.#previousUsed += amount;
    else this.#used += amount;
    return this.used(part.at, period);
  }

  correct(delta: number, part: Part, now: number, period: Period | undefined): number {
    const { index } = present(period);
    if (index === this.#current?.index) this.#used += delta;
    else if (index === this.#previous?.index) this.#previousUsed += delta;
    else if (delta > 0 && (this.#current === undefined || index > this.#current.index))
      this.add(delta, part, period);
    return this.used(now, period);
  }

  /** Not at once when the period ends: in a zone further west, which the org may move to, the same date goes on. */
  idle(now: number): boolean {
    return this.#current === undefined || this.#current.endsAt + ZONES_APART_MS <= now;
  }

  dump(): readonly (number | null)[] {
    const { index = null, endsAt = null } = this.#current ?? {};
    return [index, this.#used, this.#previous?.index ?? null, this.#previousUsed, endsAt];
  }
}

function present(period: Period | undefined): Period {
  if (period === undefined) throw new Error("a charge against a calendar limit has a period");
  return period;
}
