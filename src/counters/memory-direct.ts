import type { DirectCounters, DirectRequest, DirectReservation } from "./counters.js";
import type { OpenReservations } from "./open-reservations.js";
import type { ScopeCounts } from "./scope-counts.js";

/**
 * The short way of the counters in memory: every limit has been counted before, has room, and nothing but one reserve and
 * one settle happens. The steps are those of `Counting`, on the same counts.
 */
export class MemoryDirect implements DirectCounters {
  readonly #counts: ScopeCounts;
  readonly #reservations: OpenReservations;

  constructor(counts: ScopeCounts, reservations: OpenReservations) {
    this.#counts = counts;
    this.#reservations = reservations;
  }

  reserve({ id, now: callerNow, ttlMs, plan, charges }: DirectRequest): DirectReservation | undefined {
    const found = this.#counts.ofPlan(plan);
    if (found === undefined) return undefined;
    const { counts } = found;
    const { amounts, periods } = charges;
    const at = this.#reservations.advance(callerNow);
    for (let i = 0; i < counts.length; i++) {
      const amount = amounts[i] as number; // sound, as below: all of them are as long as the counts
      const used = (counts[i] as (typeof counts)[number]).used(at, periods[i]);
      // A zero needs no room, but what is told of its limit does not follow from the moment alone.
      if (amount === 0 || !(used + amount <= (plan.maxes[i] as number))) return undefined;
    }
    const expiresAt = at + ttlMs;
    const part = { at, expiresAt, idempotency: undefined, found, charges, extensions: undefined };
    const used = plan.maxes.slice(); // for its length and its kind: a double holds every count
    for (let i = 0; i < counts.length; i++) {
      used[i] = (counts[i] as (typeof counts)[number]).add(amounts[i] as number, part, periods[i]);
    }
    this.#reservations.add(id, part);
    return { reservedAt: at, expiresAt, used };
  }

  settle(id: string, callerNow: number, amounts: readonly number[]): readonly number[] | undefined {
    const now = this.#reservations.advance(callerNow);
    const open = this.#reservations.get(id);
    // A surcharge needs a count that is kept, and extensions are given back first.
    if (open?.found === undefined || open.extensions !== undefined || !this.#counts.holds(open.found)) {
      return undefined;
    }
    const { counts } = open.found;
    const { amounts: reserved, periods } = open.charges;
    if (amounts.length !== counts.length) return undefined;
    this.#reservations.close(id, open, "already_settled");
    const used = amounts.slice();
    for (let i = 0; i < counts.length; i++) {
      const delta = (amounts[i] as number) - (reserved[i] as number); // sound: as long as the counts
      used[i] = (counts[i] as (typeof counts)[number]).correct(delta, open, now, periods[i]);
    }
    return used;
  }
}
