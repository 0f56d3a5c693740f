import { amountsByMeter, type Use } from "../admission/amounts.js";
import { addToLatest, isLatest, USED } from "../admission/cells.js";
import { type Charges, chargeList, type Reading } from "../admission/charge.js";
import { Count, type CountKind } from "../admission/count.js";
import type { Plan } from "../admission/plan.js";
import type { DirectCharge, DirectCounters, DirectReservation } from "./counters.js";
import { readingOf } from "./counting.js";
import type { Idempotency, NumberedReservation, OpenReservations } from "./open-reservations.js";
import type { ReservationIds } from "./reservation-ids.js";
import type { ScopeCounts } from "./scope-counts.js";

const NO_COUNTS: readonly number[] = Object.freeze([]);

/**
 * The short way of the counters in memory, for the ordinary call: each of its limits has been counted before and has room, and
 * after the reserve comes one settle. The steps are those of `Counting`, on the same counts; where it answers `undefined`,
 * nothing has been changed and `Counting` is asked.
 */
export class MemoryDirect implements DirectCounters {
  readonly #counts: ScopeCounts;
  readonly #reservations: OpenReservations;
  readonly ids: ReservationIds;

  constructor(counts: ScopeCounts, reservations: OpenReservations, ids: ReservationIds) {
    this.#counts = counts;
    this.#reservations = reservations;
    this.ids = ids;
  }

  hasOpened(key: string): boolean {
    return this.#reservations.idOf(key) !== undefined;
  }

  reserve(
    callerNow: number,
    ttlMs: number,
    plan: Plan,
    use: Use,
    idempotency?: Idempotency,
  ): DirectReservation | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { places, maxes, shape } = plan;
    const { kinds } = places;
    const { meters } = shape;
    const { cells } = this.#counts;
    const { numbers } = cells;
    const byMeter = amountsByMeter(use);
    const periods = shape.periodsAt(callerNow);
    const amounts = shape.blank();
    const now = this.#reservations.advance(callerNow);
    let isAnyUncharged = false;
    // Here and below the loops are written out, with a branch for each case, and not shared by a function. V8 learns for each
    // place in the code which types it sees: a shared place sees several, and then V8 allocates an object for each number.
    for (let i = 0; i < kinds.length; i++) {
      const at = plan.address(places, i);
      const period = periods[i];
      const amount = byMeter[meters[i] as number] as number; // sound, as all below: there is a meter for each kind
      if (amount === 0) {
        // Nothing to charge needs no room: a spent budget stops no free model. A period ends when it does, charged or not.
        if (period === undefined) isAnyUncharged = true;
      } else if (isLatest(numbers, at, period, now, now)) {
        if (!((numbers[at + USED] as number) + amount <= (maxes[i] as number))) return undefined;
      } else if (!((kinds[i] as CountKind).used(cells, at, now, period) + amount <= (maxes[i] as number))) {
        return undefined;
      }
      amounts[i] = amount;
    }
    const used = shape.blank();
    const number = this.ids.take();
    const charges = { limits: plan.limits, amounts, periods };
    const made = new Made(
      this.ids.textOf(number),
      number,
      now,
      now + ttlMs,
      plan,
      charges,
      used,
      idempotency,
    );
    for (let i = 0; i < kinds.length; i++) {
      const at = plan.address(places, i);
      const period = periods[i];
      const amount = amounts[i] as number;
      if (isLatest(numbers, at, period, now, now)) used[i] = addToLatest(numbers, at, amount);
      else used[i] = (kinds[i] as CountKind).add(cells, at, amount, made, period);
    }
    if (isAnyUncharged) {
      // When a count is empty that was not charged does not follow from this moment.
      made.resetMs = kinds.map((kind, i) => {
        const emptyAt = kind.emptyAt(cells, plan.address(places, i), now, periods[i]);
        return Math.max(0, emptyAt - callerNow);
      });
    }
    this.#reservations.addNumbered(made);
    return made;
  }

  foresee(callerNow: number, plan: Plan, use: Use): DirectCharge | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { places, maxes, shape } = plan;
    const { kinds } = places;
    const { cells } = this.#counts;
    const charges = plan.charges(use, callerNow);
    const used = shape.blank();
    const now = this.#at(callerNow);
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[i] as CountKind;
      const amount = charges.amounts[i] as number;
      const period = charges.periods[i];
      // When such a count is empty is told from the count itself: left to `Counting`.
      if (amount === 0 && period === undefined) return undefined;
      const after = kind.used(cells, plan.address(places, i), now, period) + amount;
      if (amount > 0 && !(after <= (maxes[i] as number))) return undefined;
      used[i] = after;
    }
    return { at: now, charges, used, resetMs: undefined };
  }

  refuse(callerNow: number, plan: Plan, charges: Charges): readonly Reading[] | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { places } = plan;
    const { cells } = this.#counts;
    const now = this.#at(callerNow);
    const list = chargeList(charges);
    const counts = places.kinds.map((kind, i) => new Count(kind, cells, plan.address(places, i)));
    const isShort = list.some(({ limit, amount, period }, i) => {
      const used = counts[i]?.used(now, period) ?? 0;
      return limit.mode === "enforce" && amount > 0 && used + amount > limit.max;
    });
    // Sound: there is a count for each charge.
    return isShort
      ? list.map((charge, i) => readingOf(charge, counts[i] as Count, now, callerNow))
      : undefined;
  }

  settle(held: DirectReservation, callerNow: number, use: Use): readonly number[] | undefined {
    const now = this.#reservations.advance(callerNow);
    // Other counters may have made it, under the same number.
    if (!(held instanceof Made && this.#reservations.holds(held))) return undefined;
    const { plan, charges, extensions } = held;
    // A surcharge needs a count that is kept, and extensions are given back first.
    if (extensions !== undefined || !this.#counts.locate(plan)) return undefined;
    this.#reservations.closeNumbered(held, "already_settled");
    const { places, shape } = plan;
    const { kinds } = places;
    const { meters } = shape;
    const { amounts, periods } = charges;
    const { cells } = this.#counts;
    const { numbers } = cells;
    const byMeter = amountsByMeter(use);
    let isRaised = false;
    for (let i = 0; i < kinds.length; i++) {
      const delta = (byMeter[meters[i] as number] as number) - (amounts[i] as number);
      if (delta === 0) continue;
      if (delta > 0) isRaised = true;
      const at = plan.address(places, i);
      const period = periods[i];
      // It was charged to the latest part, and that is still the current one.
      if (isLatest(numbers, at, period, held.at, now)) addToLatest(numbers, at, delta);
      else (kinds[i] as CountKind).correct(cells, at, delta, held, now, period);
    }
    if (!isRaised) return NO_COUNTS;
    return kinds.map((kind, i) => kind.used(cells, plan.address(places, i), now, periods[i]));
  }

  /** The counters' clock as of a call that does not move it. */
  #at(callerNow: number): number {
    return Math.max(this.#reservations.now, callerNow);
  }
}

/** A reservation that was made on the short way. */
class Made implements NumberedReservation, DirectReservation {
  readonly id: string;
  readonly number: number;
  readonly at: number;
  readonly expiresAt: number;
  readonly plan: Plan;
  charges: Charges;
  readonly used: readonly number[];
  resetMs: readonly number[] | undefined;
  readonly idempotency: Idempotency | undefined;
  extensions: NumberedReservation["extensions"];

  constructor(
    id: string,
    number: number,
    at: number,
    expiresAt: number,
    plan: Plan,
    charges: Charges,
    used: readonly number[],
    idempotency: Idempotency | undefined,
  ) {
    this.id = id;
    this.number = number;
    this.at = at;
    this.expiresAt = expiresAt;
    this.plan = plan;
    this.charges = charges;
    this.used = used;
    this.resetMs = undefined;
    this.idempotency = idempotency;
    this.extensions = undefined;
  }
}
