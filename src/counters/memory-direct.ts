import { amountsByMeter, reservedByMeter, type Use } from "../admission/amounts.js";
import { addToLatest, Cell, isLatest } from "../admission/cells.js";
import { type Charges, chargeList, type Reading } from "../admission/charge.js";
import { Count } from "../admission/count.js";
import type { CountKind } from "../admission/count-kind.js";
import type { Period } from "../admission/period.js";
import type { Plan } from "../admission/plan.js";
import type { DirectCharge, DirectCounters, DirectReservation, DirectReserved } from "./counters.js";
import { readingOf } from "./counting.js";
import type { Idempotency, NumberedReservation, OpenReservations } from "./open-reservations.js";
import type { ReservationIds } from "./reservation-ids.js";
import type { ScopeCounts } from "./scope-counts.js";

type Periods = readonly (Period | undefined)[];

const NO_COUNTS: readonly number[] = Object.freeze([]);

/**
 * The short way of the counters in memory, for the ordinary call: each of its limits has been counted before and has
 * room, and one settle follows the reserve. It takes the same steps as `Counting`, on the same counts. If it answers
 * `undefined`, nothing was changed and `Counting` is asked.
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

  get now(): number {
    return this.#reservations.now;
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
  ): DirectReserved | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { shape } = plan;
    const byMeter = amountsByMeter(use);
    const periods = shape.periodsAt(callerNow);
    const now = this.#reservations.advance(callerNow);
    const { numbers } = this.#counts.cells;
    const areLatest = haveRoomInLatest(numbers, plan, byMeter, periods, now);
    if (!areLatest && !this.#haveRoom(plan, byMeter, periods, now)) return undefined;
    const used = shape.blank();
    const number = this.ids.take();
    const id = this.ids.textOf(number);
    const held = new Made(id, number, now, now + ttlMs, plan, periods, use, idempotency);
    let resetMs: readonly number[] | undefined;
    if (areLatest) addToLatestParts(numbers, plan, byMeter, used);
    else resetMs = this.#add(held, byMeter, used, callerNow);
    this.#reservations.addNumbered(held);
    return { at: now, used, resetMs, held };
  }

  foresee(callerNow: number, plan: Plan, use: Use): DirectCharge | undefined {
    if (!this.#counts.locate(plan)) return undefined;
    const { places, maxes, shape } = plan;
    const { kinds } = places;
    const { cells } = this.#counts;
    const byMeter = amountsByMeter(use);
    const periods = shape.periodsAt(callerNow);
    const used = shape.blank();
    const now = this.#at(callerNow);
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[i] as CountKind;
      const amount = byMeter[shape.meters[i] as number] as number;
      const period = periods[i];
      // When such a count is empty can only be told from the count itself, so this is left to `Counting`.
      if (amount === 0 && period === undefined) return undefined;
      const after = kind.used(cells, plan.address(places, i), now, period) + amount;
      if (amount > 0 && !(after <= (maxes[i] as number))) return undefined;
      used[i] = after;
    }
    return { at: now, used, resetMs: undefined };
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
    const { plan, periods, extensions } = held;
    // A surcharge needs a count that is still kept, and extensions have to be given back first.
    if (extensions !== undefined || !this.#counts.locate(plan)) return undefined;
    this.#reservations.closeNumbered(held, "already_settled");
    const { places, shape } = plan;
    const { kinds } = places;
    const { meters } = shape;
    const { cells } = this.#counts;
    const { numbers } = cells;
    const byMeter = amountsByMeter(use);
    const reserved = reservedByMeter(held.use);
    let isRaised = false;
    for (let i = 0; i < meters.length; i++) {
      const meter = meters[i] as number;
      const delta = (byMeter[meter] as number) - (reserved[meter] as number);
      if (delta === 0) continue;
      if (delta > 0) isRaised = true;
      const at = plan.address(places, i);
      // As nearly always: the latest part still holds what was charged to it.
      if (isLatest(numbers, at, periods[i], held.at, now)) addToLatest(numbers, at, delta);
      else (kinds[i] as CountKind).correct(cells, at, delta, held, now, periods[i]);
    }
    if (!isRaised) return NO_COUNTS;
    return kinds.map((kind, i) => kind.used(cells, plan.address(places, i), now, periods[i]));
  }

  /** Whether there is room. Zero needs none: a spent budget does not block a free model. */
  #haveRoom(plan: Plan, byMeter: Float64Array, periods: Periods, now: number): boolean {
    const { kinds } = plan.places;
    const { meters } = plan.shape;
    for (let i = 0; i < kinds.length; i++) {
      const amount = byMeter[meters[i] as number] as number; // sound, as all below: there is a meter for each kind
      if (amount === 0) continue;
      const at = plan.address(plan.places, i);
      const used = (kinds[i] as CountKind).used(this.#counts.cells, at, now, periods[i]);
      if (!(used + amount <= (plan.maxes[i] as number))) return false;
    }
    return true;
  }

  /**
   * Adds what a call uses, and fills in the counts after it.
   *
   * @returns when each count is empty, if that does not follow from this moment, as for a count that was not charged
   */
  #add(made: Made, byMeter: Float64Array, used: number[], callerNow: number): number[] | undefined {
    const { plan, periods } = made;
    const { kinds } = plan.places;
    const { meters } = plan.shape;
    const { cells } = this.#counts;
    let isAnyUncharged = false;
    for (let i = 0; i < kinds.length; i++) {
      const amount = byMeter[meters[i] as number] as number;
      const period = periods[i];
      // A period ends at its time, charged or not.
      if (amount === 0 && period === undefined) isAnyUncharged = true;
      used[i] = (kinds[i] as CountKind).add(cells, plan.address(plan.places, i), amount, made, period);
    }
    if (!isAnyUncharged) return undefined;
    return kinds.map((kind, i) => {
      const emptyAt = kind.emptyAt(cells, plan.address(plan.places, i), made.at, periods[i]);
      return Math.max(0, emptyAt - callerNow);
    });
  }

  /** The counters' clock for a call that does not move it. */
  #at(callerNow: number): number {
    return Math.max(this.#reservations.now, callerNow);
  }
}

// The loops for a call that finds every count in its latest part, as nearly every call of a busy key does. They call
// nothing, and are written out rather than shared by a function. After a call, V8 reads and checks everything anew. And
// it learns the types that each place in the code sees: a shared place sees several, and V8 then allocates an object
// for each number.

/** Whether every count is in its latest part, has room, and is charged unless it has a period. */
function haveRoomInLatest(
  numbers: Float64Array,
  plan: Plan,
  byMeter: Float64Array,
  periods: Periods,
  now: number,
): boolean {
  const { places, maxes, shape } = plan;
  const { meters, addresses } = shape;
  for (let i = 0; i < meters.length; i++) {
    const at = plan.address(places, i);
    addresses[i] = at;
    const period = periods[i];
    if (!isLatest(numbers, at, period, now, now)) return false;
    const amount = byMeter[meters[i] as number] as number;
    if (amount === 0) {
      if (period === undefined) return false;
    } else if (!((numbers[at + Cell.used] as number) + amount <= (maxes[i] as number))) return false;
  }
  return true;
}

/** Adds what a call uses, and fills in the counts after it. */
function addToLatestParts(numbers: Float64Array, plan: Plan, byMeter: Float64Array, used: number[]): void {
  const { meters, addresses } = plan.shape;
  for (let i = 0; i < meters.length; i++) {
    const amount = byMeter[meters[i] as number] as number;
    used[i] = addToLatest(numbers, addresses[i] as number, amount);
  }
}

/** A reservation made on the short way. It keeps what the call uses, from which its charges follow. */
class Made implements NumberedReservation, DirectReservation {
  readonly id: string;
  readonly number: number;
  readonly at: number;
  readonly expiresAt: number;
  readonly plan: Plan;
  readonly periods: Periods;
  readonly use: Use;
  readonly idempotency: Idempotency | undefined;
  extensions: NumberedReservation["extensions"];
  #charges: Charges | undefined;

  constructor(
    id: string,
    number: number,
    at: number,
    expiresAt: number,
    plan: Plan,
    periods: Periods,
    use: Use,
    idempotency: Idempotency | undefined,
  ) {
    this.id = id;
    this.number = number;
    this.at = at;
    this.expiresAt = expiresAt;
    this.plan = plan;
    this.periods = periods;
    this.use = use;
    this.idempotency = idempotency;
    this.extensions = undefined;
    this.#charges = undefined;
  }

  // Most calls are settled without it: the counters need it where the short way does not go.
  get charges(): Charges {
    const { plan, use, periods } = this;
    this.#charges ??= { limits: plan.limits, amounts: plan.shape.amounts(use), periods };
    return this.#charges;
  }

  set charges(charges: Charges) {
    this.#charges = charges;
  }
}
