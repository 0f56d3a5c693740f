import {
  type Charge,
  type Charges,
  chargeList,
  hasEnded,
  type Reading,
  sideBySide,
} from "../admission/charge.js";
import { type Count, createCount } from "../admission/count.js";
import type { Part } from "../admission/count-kind.js";
import { type Limit, sameCount } from "../admission/limit.js";
import type { Period } from "../admission/period.js";
import type {
  Amount,
  NotOpen,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "./counters.js";
import { type Counted, foreseen } from "./foreseen.js";
import type { OpenReservation, OpenReservations, ReservationExtension } from "./open-reservations.js";
import type { ScopeCounts } from "./scope-counts.js";

/** The counts on which decisions are made, wherever they are kept. */
export type KeptCounts = Pick<ScopeCounts, "find" | "obtain">;

/**
 * The reservations on which decisions are made, wherever they are kept. After an extension, `add` is called again with
 * the same reservation. `get` closes a reservation whose time is over, and `idOf` names the latest of its key.
 */
export type KeptReservations = Pick<
  OpenReservations,
  "now" | "advance" | "add" | "get" | "idOf" | "fate" | "close"
>;

/**
 * The decisions of counters, over counts and reservations that are kept elsewhere. Each runs to its end without a
 * pause.
 */
export class Counting {
  readonly #counts: KeptCounts;
  readonly #reservations: KeptReservations;

  constructor(counts: KeptCounts, reservations: KeptReservations) {
    this.#counts = counts;
    this.#reservations = reservations;
  }

  reserve(request: ReserveRequest): ReserveOutcome {
    const now = request.dryRun ? this.#at(request.now) : this.#reservations.advance(request.now);
    const { charges, id, idempotency } = request;
    if (request.extend) return this.#extend(request, now);
    const known = this.#known(request, now);
    if (known) return known;

    const room = this.#roomFor(charges, now);
    if (room === "none") return this.#refuse(charges, request.now);
    const shadow = room === "in shadow only" ? this.#read(charges, request.now) : undefined;

    const expiresAt = now + request.ttlMs;
    if (request.dryRun) {
      const times = { reservedAt: now, expiresAt };
      return { outcome: "reserved", id, ...times, charges, ...this.#foresee(charges, request.now), shadow };
    }
    const { used, resetMs } = this.#add(charges, { at: now, expiresAt }, request.now);
    this.#reservations.add(id, {
      at: now,
      expiresAt,
      idempotency,
      charges: sideBySide(charges),
      extensions: undefined,
    });
    return { outcome: "reserved", id, reservedAt: now, expiresAt, charges, used, resetMs, shadow };
  }

  settle({ id, now: callerNow, amounts }: SettleRequest): SettleOutcome {
    const now = this.#reservations.advance(callerNow);
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#whyNotOpen(id) };
    this.#reservations.close(id, open, "already_settled");

    const used: number[] = [];
    for (let i = 0; i < amounts.length; i++) {
      const amount = amounts[i] as Amount; // sound: i is below the length
      const { limit, period } = amount;
      const place = placeOf(open.charges, limit, i);
      let delta = amount.amount - (open.charges.amounts[place] ?? 0);
      // Not the count that was charged: that may have been forgotten as empty, and another begun.
      const count = this.#counts.obtain(limit, callerNow, amounts);
      if (open.extensions) delta = giveBack(count, open.extensions, place, delta, now, period);
      used.push(delta === 0 ? count.used(now, period) : count.correct(delta, open, now, period));
    }
    return now === callerNow ? { outcome: "settled", used } : { outcome: "settled", used, at: now };
  }

  read({ now, charges }: ReadQuery): Reading[] {
    return this.#read(charges, now);
  }

  /** The counters' clock for a call that does not move it. */
  #at(callerNow: number): number {
    return Math.max(this.#reservations.now, callerNow);
  }

  /**
   * The reservation, unless it is closed or has outlived its TTL by `now`, which a dry run may put ahead of the clock.
   */
  #openAt(id: string, now: number): OpenReservation | undefined {
    const open = this.#reservations.get(id);
    return open && open.expiresAt > now ? open : undefined;
  }

  #whyNotOpen(id: string): NotOpen {
    return this.#reservations.get(id) === undefined ? this.#reservations.fate(id) : "expired";
  }

  #extend({ id, charges, now: callerNow, dryRun }: ReserveRequest, now: number): ReserveOutcome {
    const open = this.#openAt(id, now);
    if (open === undefined) return { outcome: this.#whyNotOpen(id) };
    const room = this.#roomFor(charges, now);
    if (room === "none") return this.#refuse(charges, callerNow);
    const shadow = room === "in shadow only" ? this.#read(charges, callerNow) : undefined;
    const added = sideBySide(charges);
    const whole = sum(open.charges, added);
    const extended = { id, ...timesOf(open), charges: chargeList(whole), shadow };
    if (dryRun) return { outcome: "reserved", ...extended, ...this.#foresee(charges, callerNow) };
    const part = { at: now, expiresAt: open.expiresAt };
    const { used, resetMs } = this.#add(charges, part, callerNow);
    const amounts = whole.limits.map((limit) => added.amounts[placeOf(added, limit)] ?? 0);
    open.extensions = [...(open.extensions ?? []), { part, amounts }];
    open.charges = whole;
    this.#reservations.add(id, open);
    return { outcome: "reserved", ...extended, used, resetMs };
  }

  /**
   * The answer to a request that is known by its idempotency key, or by its id if it was sent before. Undefined for a
   * new request.
   */
  #known(request: ReserveRequest, now: number): ReserveOutcome | undefined {
    const { id, idempotency } = request;
    const keyed = idempotency && this.#reservations.idOf(idempotency.key);
    const ofKey = keyed === undefined ? undefined : this.#openAt(keyed, now);
    if (keyed !== undefined && ofKey) return this.#replay(keyed, ofKey, request);
    const own = this.#reservations.get(id);
    if (own) return own.expiresAt > now ? this.#replay(id, own, request) : { outcome: "expired" };
    const outcome = this.#reservations.fate(id);
    return outcome === "unknown_reservation" ? undefined : { outcome };
  }

  #replay(
    id: string,
    open: OpenReservation,
    { idempotency, now: callerNow }: ReserveRequest,
  ): ReserveOutcome {
    if (idempotency && open.idempotency?.fingerprint !== idempotency.fingerprint)
      return { outcome: "conflict" };
    const charges = chargeList(open.charges);
    const readings = this.#read(charges, callerNow);
    const counted = {
      used: readings.map(({ used }) => used),
      resetMs: readings.map(({ resetMs }) => resetMs),
    };
    return { outcome: "replayed", id, ...timesOf(open), charges, ...counted };
  }

  #refuse(charges: readonly Charge[], callerNow: number): ReserveOutcome {
    return { outcome: "refused", readings: this.#read(charges, callerNow) };
  }

  /** Whether the limits have room. An amount of zero always has: a spent budget does not block a free model. */
  #roomFor(charges: readonly Charge[], now: number): "all" | "in shadow only" | "none" {
    let room: "all" | "in shadow only" = "all";
    for (const { limit, amount, period } of charges) {
      if (amount === 0 || (this.#counts.find(limit)?.used(now, period) ?? 0) + amount <= limit.max) continue;
      if (limit.mode === "enforce") return "none";
      room = "in shadow only";
    }
    return room;
  }

  #add(charges: readonly Charge[], part: Part, callerNow: number): Counted {
    const used: number[] = [];
    const resetMs: number[] = [];
    for (const { limit, amount, period } of charges) {
      const count = this.#counts.obtain(limit, callerNow, charges);
      used.push(count.add(amount, part, period));
      resetMs.push(Math.max(0, count.emptyAt(part.at, period) - callerNow));
    }
    return { used, resetMs };
  }

  /** What {@link #add} would return. */
  #foresee(charges: readonly Charge[], callerNow: number): Counted {
    return foreseen(charges, this.#read(charges, callerNow), this.#at(callerNow), callerNow);
  }

  /**
   * The readings for charges. Waits are counted from the caller's clock, since that is the one by which it will wait.
   */
  #read(charges: readonly Charge[], callerNow: number): Reading[] {
    const now = this.#at(callerNow);
    return charges.map((charge) => {
      const count = this.#counts.find(charge.limit) ?? createCount(charge.limit.window);
      return readingOf(charge, count, now, callerNow);
    });
  }
}

function timesOf({ at, expiresAt }: OpenReservation) {
  return { reservedAt: at, expiresAt };
}

/** The reading for a charge at `now` on the counters' clock. Waits are counted from `callerNow`. */
export function readingOf(charge: Charge, count: Count, now: number, callerNow: number): Reading {
  const resetMs = Math.max(0, count.emptyAt(now, charge.period) - callerNow);
  return { used: count.used(now, charge.period), waitMs: waitMs(charge, count, now, callerNow), resetMs };
}

function waitMs(charge: Charge, count: Count, now: number, callerNow: number): number {
  if (charge.amount === 0) return 0;
  const fitsAt = count.fitsAt(charge, now);
  if (fitsAt === Number.NEGATIVE_INFINITY) return 0;
  return hasEnded(charge, callerNow) ? Number.POSITIVE_INFINITY : fitsAt - callerNow;
}

/**
 * Gives a refund back to the extensions, the latest first, so that what is kept was charged at the earliest moments:
 * each part keeps min(estimate, actual) of its own.
 *
 * @param delta the correction; only a negative one is a refund
 * @returns the part of `delta` that is left for the reserve itself
 */
function giveBack(
  count: Count,
  extensions: readonly ReservationExtension[],
  place: number,
  delta: number,
  now: number,
  period: Period | undefined,
): number {
  let left = delta;
  for (const { part, amounts } of extensions.toReversed()) {
    if (left >= 0) break;
    const back = Math.max(left, -(amounts[place] ?? 0));
    count.correct(back, part, now, period);
    left -= back;
  }
  return left;
}

/** The position of a limit among those that were charged, or -1. `hint` is its most likely position. */
function placeOf({ limits }: Charges, limit: Limit, hint = 0): number {
  return limits[hint] === limit ? hint : limits.findIndex((one) => sameCount(one, limit));
}

/** The charges including what was added to them. */
function sum(charges: Charges, added: Charges): Charges {
  const summed = chargeList(charges).map((charge) => ({
    ...charge,
    amount: charge.amount + (added.amounts[placeOf(added, charge.limit)] ?? 0),
  }));
  const fresh = chargeList(added).filter(({ limit }) => !charges.limits.some((one) => sameCount(one, limit)));
  return sideBySide([...summed, ...fresh]);
}
