import { addToLatest, isLatest, numberAt, USED } from "../admission/cells.js";
import type { Charges } from "../admission/charge.js";
import type { CountKind } from "../admission/count.js";
import type { Found, Plan } from "../admission/plan.js";
import type { DirectCounters, DirectReservation } from "./counters.js";
import type { NumberedReservation, OpenReservations } from "./open-reservations.js";
import type { ReservationIds } from "./reservation-ids.js";
import type { ScopeCounts } from "./scope-counts.js";

/**
 * The short way of the counters in memory: every limit has been counted before, has room, and nothing but one reserve and
 * one settle happens. The steps are those of `Counting`, on the same counts.
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

  reserve(callerNow: number, ttlMs: number, plan: Plan, charges: Charges): DirectReservation | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { addresses, kinds } = plan;
    const { cells } = this.#counts;
    const { numbers } = cells;
    const { amounts, periods } = charges;
    const now = this.#reservations.advance(callerNow);
    for (let i = 0; i < kinds.length; i++) {
      const address = addresses[i] as number; // sound, as all below: they are as long as the kinds
      const period = periods[i];
      const amount = amounts[i] as number;
      const used = isLatest(numbers, address, period, now, now)
        ? numberAt(numbers, address + USED)
        : (kinds[i] as CountKind).used(cells, address, now, period);
      // A zero needs no room, but what is told of its limit does not follow from the moment alone.
      if (amount === 0 || !(used + amount <= (plan.maxes[i] as number))) return undefined;
    }
    const used = amounts.slice(); // for its length and its kind: a double holds every count
    const number = this.ids.take();
    const made = new Made(this.ids.textOf(number), number, now, now + ttlMs, plan, charges, used);
    for (let i = 0; i < kinds.length; i++) {
      const address = addresses[i] as number;
      const period = periods[i];
      const amount = amounts[i] as number;
      used[i] = isLatest(numbers, address, period, now, now)
        ? addToLatest(numbers, address, amount)
        : (kinds[i] as CountKind).add(cells, address, amount, made, period);
    }
    this.#reservations.addNumbered(made);
    return made;
  }

  settle(
    held: DirectReservation,
    callerNow: number,
    amounts: readonly number[],
  ): readonly number[] | undefined {
    const now = this.#reservations.advance(callerNow);
    // Other counters may have made it, under the same number.
    if (!(held instanceof Made && this.#reservations.holds(held))) return undefined;
    const { charges, extensions, addresses, kinds } = held;
    // A surcharge needs a count that is kept, and extensions are given back first.
    if (extensions !== undefined || !this.#counts.holds(held)) return undefined;
    if (amounts.length !== kinds.length) return undefined;
    this.#reservations.closeNumbered(held, "already_settled");
    const { cells } = this.#counts;
    const { numbers } = cells;
    const chargedAt = held.at;
    const used = charges.amounts.slice(); // for its length and its kind
    for (let i = 0; i < kinds.length; i++) {
      const address = addresses[i] as number;
      const period = charges.periods[i];
      const delta = (amounts[i] as number) - (charges.amounts[i] as number);
      // Charged to the latest part, which is the current one still.
      used[i] = isLatest(numbers, address, period, chargedAt, now)
        ? addToLatest(numbers, address, delta)
        : (kinds[i] as CountKind).correct(cells, address, delta, held, now, period);
    }
    return used;
  }
}

/** A reservation that was made on the short way. */
class Made implements NumberedReservation, DirectReservation, Found {
  readonly id: string;
  readonly number: number;
  readonly at: number;
  readonly expiresAt: number;
  readonly epoch: object | undefined;
  readonly addresses: readonly number[];
  readonly kinds: readonly CountKind[];
  charges: Charges;
  readonly used: readonly number[];
  readonly idempotency = undefined;
  extensions: NumberedReservation["extensions"] = undefined;

  constructor(
    id: string,
    number: number,
    at: number,
    expiresAt: number,
    { epoch, addresses, kinds }: Found,
    charges: Charges,
    used: readonly number[],
  ) {
    this.id = id;
    this.number = number;
    this.at = at;
    this.expiresAt = expiresAt;
    this.epoch = epoch;
    this.addresses = addresses;
    this.kinds = kinds;
    this.charges = charges;
    this.used = used;
  }
}
