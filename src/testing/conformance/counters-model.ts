import type { Charge, Reading } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import { periodAt } from "../../admission/period.js";
import type {
  NotOpen,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../../counters/counters.js";

/** One change of one count. A refund is an entry with a negative amount at the moment that it refunds. */
interface Entry {
  readonly amount: number;
  readonly at: number;
  readonly periodIndex: number | undefined;
  readonly slotFreeAt: number;
}

interface Reservation {
  readonly id: string;
  readonly reservedAt: number;
  readonly expiresAt: number;
  readonly idempotency: ReserveRequest["idempotency"];
  /** What was charged when: by the reserve, then by each extension. */
  readonly parts: { readonly at: number; readonly charges: readonly Charge[] }[];
  settled: boolean;
}

/**
 * What counters have to answer, said as simply as it can be: a log of every change, summed up again for every answer.
 * It forgets nothing and is slow. This is the specification; adapters are compared with it step by step.
 */
export class CountersModel {
  /** The log of each count. */
  readonly #logs = new Map<string, Entry[]>();
  readonly #reservations: Reservation[] = [];
  #clock = Number.NEGATIVE_INFINITY;

  reserve(request: ReserveRequest): ReserveOutcome {
    const { id, charges, now: callerNow, ttlMs, idempotency, extend = false, dryRun = false } = request;
    const now = this.#at(callerNow);
    if (!dryRun) this.#clock = now;
    const extended = extend ? this.#reservations.find((one) => one.id === id) : undefined;
    if (extend && (extended === undefined || notOpen(extended, now))) return { outcome: stateOf(extended) };

    const ofKey = this.#reservations.find(
      (one) => idempotency && one.idempotency?.key === idempotency.key && !notOpen(one, now),
    );
    const known = extend ? undefined : (ofKey ?? this.#reservations.find((one) => one.id === id));
    if (known) {
      if (notOpen(known, now)) return { outcome: stateOf(known) };
      const isOther = idempotency && known.idempotency?.fingerprint !== idempotency.fingerprint;
      if (isOther) return { outcome: "conflict" };
      return { outcome: "replayed", ...this.#answer(known, chargesOf(known), callerNow) };
    }

    const readings = charges.map((charge) => this.#reading(charge, callerNow));
    const short = charges.filter((charge) => !this.#fits(charge, now));
    if (short.some(({ limit }) => limit.mode === "enforce")) return { outcome: "refused", readings };

    const fresh = { id, reservedAt: now, expiresAt: now + ttlMs, idempotency, parts: [], settled: false };
    const reservation: Reservation = extended ?? fresh;
    reservation.parts.push({ at: now, charges });
    for (const charge of charges) this.#write(charge, charge.amount, now, reservation);
    const outcome: ReserveOutcome = {
      outcome: "reserved",
      ...this.#answer(reservation, charges, callerNow),
      charges: chargesOf(reservation),
      shadow: short.length > 0 ? readings : undefined,
    };
    if (dryRun) {
      for (const { limit } of charges) this.#entries(limit).pop();
      reservation.parts.pop();
    } else if (!extend) this.#reservations.push(reservation);
    return outcome;
  }

  settle({ id, now: callerNow, amounts }: SettleRequest): SettleOutcome {
    const now = this.#at(callerNow);
    this.#clock = now;
    const reservation = this.#reservations.find((one) => one.id === id);
    if (reservation === undefined || notOpen(reservation, now)) return { outcome: stateOf(reservation) };
    reservation.settled = true;
    for (const amount of amounts) {
      let delta = amount.amount - amountIn(chargesOf(reservation), amount.limit);
      if (delta > 0) this.#write(amount, delta, now, reservation);
      for (const { at, charges } of reservation.parts.toReversed()) {
        if (delta >= 0) break;
        const back = Math.max(delta, -amountIn(charges, amount.limit));
        this.#write(amount, back, at, reservation);
        delta -= back;
      }
    }
    return { outcome: "settled", used: amounts.map((amount) => this.#used(amount, now)) };
  }

  read({ now, charges }: ReadQuery): Reading[] {
    return charges.map((charge) => this.#reading(charge, now));
  }

  /** The reservations that are open at a moment. */
  open(
    now: number,
  ): { readonly id: string; readonly charges: readonly Charge[]; readonly expiresAt: number }[] {
    return this.#reservations
      .filter((one) => !notOpen(one, this.#at(now)))
      .map((one) => ({ id: one.id, charges: chargesOf(one), expiresAt: one.expiresAt }));
  }

  /** Whether anything was ever charged in the period of a charge. */
  hasPeriod({ limit, period }: Charge): boolean {
    return this.#entries(limit).some(
      ({ periodIndex, amount }) => periodIndex === period?.index && amount > 0,
    );
  }

  /** Time never runs backwards for the counters. */
  #at(callerNow: number): number {
    return Math.max(this.#clock, callerNow);
  }

  #write({ limit, period }: Charge, amount: number, at: number, { expiresAt }: Reservation): void {
    this.#entries(limit).push({ amount, at, periodIndex: period?.index, slotFreeAt: expiresAt });
  }

  #answer(reservation: Reservation, counted: readonly Charge[], callerNow: number) {
    const { id, reservedAt, expiresAt } = reservation;
    const readings = counted.map((charge) => this.#reading(charge, callerNow));
    const used = readings.map((reading) => reading.used);
    const resetMs = readings.map((reading) => reading.resetMs);
    return { id, reservedAt, expiresAt, charges: chargesOf(reservation), used, resetMs };
  }

  #reading(charge: Charge, callerNow: number): Reading {
    const now = this.#at(callerNow);
    const { limit, amount, period } = charge;
    const used = this.#used(charge, now);
    const after = (ms: number | undefined) =>
      ms === undefined ? Number.POSITIVE_INFINITY : Math.max(0, ms - callerNow);
    if (limit.window.kind === "calendar") {
      // At a reset it fits, if it ever does; in a period that has ended there is no room any more.
      const endsAt = period?.endsAt ?? Number.NaN;
      const resets = amount <= limit.max && endsAt > callerNow;
      const waitMs = this.#fits(charge, now)
        ? 0
        : after(resets ? this.#resetWithRoom(charge, now) : undefined);
      return { used, waitMs, resetMs: after(endsAt) };
    }
    const later = this.#momentsOfChange(limit, now);
    const fitsAt = this.#fits(charge, now) ? callerNow : later.find((moment) => this.#fits(charge, moment));
    const isSliding = limit.window.kind === "sliding";
    const emptyAt = used === 0 ? callerNow : later.find((moment) => this.#used(charge, moment) === 0);
    return { used, waitMs: after(fitsAt), resetMs: after(isSliding ? emptyAt : undefined) };
  }

  /**
   * The end of the last period in which a charge does not fit: the next one may be spent too, in another time zone
   * before.
   */
  #resetWithRoom(charge: Charge, now: number): number {
    const { limit, period } = charge;
    if (limit.window.kind !== "calendar" || period === undefined) throw new Error("a calendar charge");
    const next = { ...charge, period: periodAt(limit.window.name, limit.window.timeZone, period.endsAt) };
    return this.#fits(next, now) ? period.endsAt : this.#resetWithRoom(next, now);
  }

  #fits(charge: Charge, now: number): boolean {
    return charge.amount === 0 || this.#used(charge, now) + charge.amount <= charge.limit.max;
  }

  /** The sum of what counts at a moment. */
  #used({ limit, period }: Charge, now: number): number {
    let used = 0;
    for (const entry of this.#entries(limit))
      if (counts(entry, limit, now, period?.index)) used += entry.amount;
    return used;
  }

  /** The moments after `now` at which something is counted no more, ascending. */
  #momentsOfChange(limit: Limit, now: number): number[] {
    const { window } = limit;
    const ends = this.#entries(limit).map(({ at, slotFreeAt }) => {
      if (window.kind === "inFlight") return slotFreeAt;
      if (window.kind !== "sliding") return Number.NaN;
      const bucketMs = window.lengthMs / 60;
      return (Math.floor(at / bucketMs) + 61) * bucketMs;
    });
    return [...new Set(ends)].filter((end) => end > now).sort((a, b) => a - b);
  }

  #entries(limit: Limit): Entry[] {
    const name = JSON.stringify([limit.scopeKey, limit.field]);
    const log = this.#logs.get(name) ?? [];
    this.#logs.set(name, log);
    return log;
  }
}

/** Whether an entry counts at a moment, or in a period. */
function counts(entry: Entry, { window }: Limit, now: number, periodIndex: number | undefined): boolean {
  switch (window.kind) {
    case "sliding": {
      // The current 1/60 of the window and the sixty before it.
      const bucketMs = window.lengthMs / 60;
      return Math.floor(entry.at / bucketMs) >= Math.floor(now / bucketMs) - 60;
    }
    case "calendar":
      return entry.periodIndex === periodIndex;
    case "lifetime":
      return true;
    case "inFlight":
      return entry.slotFreeAt > now;
  }
}

function notOpen({ settled, expiresAt }: Reservation, now: number): boolean {
  return settled || expiresAt <= now;
}

function stateOf(reservation: Reservation | undefined): NotOpen {
  if (reservation === undefined) return "unknown_reservation";
  return reservation.settled ? "already_settled" : "expired";
}

function amountIn(charges: readonly Charge[], limit: Limit): number {
  return charges.find((charge) => sameCount(charge.limit, limit))?.amount ?? 0;
}

/**
 * All that a reservation holds: what it reserved, with its extensions added, in the order of the first charge of each
 * limit.
 */
function chargesOf({ parts }: Reservation): Charge[] {
  const all = parts.flatMap(({ charges }) => charges);
  const first = all.filter((charge, i) => all.findIndex(({ limit }) => sameCount(limit, charge.limit)) === i);
  return first.map((charge) => {
    const ofLimit = all.filter(({ limit }) => sameCount(limit, charge.limit));
    return { ...charge, amount: ofLimit.reduce((sum, { amount }) => sum + amount, 0) };
  });
}
