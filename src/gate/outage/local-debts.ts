import type { Charge } from "../../admission/charge.js";
import { countName, type Limit, sameCount } from "../../admission/limit.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { Counters } from "../../counters/counters.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";
import { chunks } from "../chunks.js";

/** What one reserve or extension charged, and when. */
export interface Part {
  readonly at: number;
  readonly charges: readonly Charge[];
}

/** A reservation that has ended here: it was settled, or its TTL is over. */
export interface Ended {
  readonly parts: readonly Part[];
  /** When it ended. */
  readonly at: number;
  /** What it was charged: the amounts of its settle, or everything it had reserved. */
  readonly came: readonly Charge[];
}

/** A charge that the store has to be given. */
interface Owed extends Charge {
  /** When the charge has left its sliding window, so that nobody need be told of it any more. */
  readonly until: number;
}

/** Charges of closed reservations, on their way to the store. The id makes it harmless to send them twice. */
interface Debt {
  readonly id: string;
  readonly owed: readonly Owed[];
}

/** The charges of the ended calls of one org, until the store has them. */
export class LocalDebts {
  readonly #orgId: string;
  readonly #ids: ReservationIds;
  /**
   * The charges of closed reservations, by when they leave their window: one sum for each count and period. With
   * thousands of keys in use, finding by count what may be forgotten would take longer than the calls.
   */
  readonly #closed = new Map<number, Map<string, Owed>>();
  /** Those on their way to the store, the oldest first. */
  readonly #debts: Debt[] = [];

  constructor(orgId: string, ids: ReservationIds) {
    this.#orgId = orgId;
    this.#ids = ids;
  }

  /** Whether there is something that the store was not charged with. */
  get owes(): boolean {
    return this.#closed.size + this.#debts.length > 0;
  }

  /**
   * Adds what an ended call was charged. The amount is assigned to its parts, the earliest first, each up to what it
   * had charged. Any rest counts at the moment of its end.
   */
  add({ parts, at, came }: Ended): void {
    for (const charge of came) {
      // A slot of a call that has ended is free, so there is nothing to hand over.
      if (charge.limit.meter === "inFlight") continue;
      let left = charge.amount;
      for (const part of parts) {
        const kept = Math.min(left, amountIn(part.charges, charge));
        this.#owe({ ...charge, amount: kept }, part.at, at);
        left -= kept;
      }
      this.#owe({ ...charge, amount: left }, at, at);
    }
  }

  /**
   * Charges the store with everything, step by step. If a step fails, the rest is kept for the next time.
   *
   * What has ended since the last time is put on its way only after what was on its way before. Otherwise each of many
   * tries would add a step, and keep what leaves its window meanwhile.
   */
  async pay(store: Pick<Counters, "reserve">, now: number): Promise<void> {
    await this.#payDebts(store, now);
    const owed = [...this.#closed.values()].flatMap((sums) => [...sums.values()]);
    this.#closed.clear();
    for (const counts of chunks(byCount(owed), COUNTS_AT_ONCE)) {
      this.#debts.push({ id: this.#ids.next(), owed: counts.flat() });
    }
    await this.#payDebts(store, now);
  }

  async #payDebts(store: Pick<Counters, "reserve">, now: number): Promise<void> {
    for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
      await pay(store, this.#orgId, debt, now);
      this.#debts.shift();
    }
  }

  #owe(charge: Charge, at: number, now: number): void {
    const { limit, amount } = charge;
    const until = limit.window.kind === "sliding" ? emptyAfter(limit.window.lengthMs, at) : Infinity;
    if (amount === 0 || until <= now) return;
    let sums = this.#closed.get(until);
    if (sums === undefined) {
      this.#forget(now);
      sums = new Map();
      this.#closed.set(until, sums);
    }
    const name = nameOf(charge);
    sums.set(name, { ...charge, amount: amount + (sums.get(name)?.amount ?? 0), until });
  }

  /**
   * Forgets what has left its window. So there are never more sums of a count than a window has buckets, however long
   * the outage is.
   */
  #forget(now: number): void {
    for (const until of this.#closed.keys()) if (until <= now) this.#closed.delete(until);
  }
}

/**
 * How many counts are charged in one step. Redis takes about 0.04 ms for each, so with the ten thousands that an org may
 * have, every other call would wait for a second, and the answer would come too late.
 */
const COUNTS_AT_ONCE = 100;

/** What is owed, put together by count. */
function byCount(owed: readonly Owed[]): Owed[][] {
  const counts = new Map<string, Owed[]>();
  for (const one of owed) {
    const name = countName(one.limit);
    const known = counts.get(name) ?? [];
    known.push(one);
    counts.set(name, known);
  }
  return [...counts.values()];
}

/**
 * The part of a debt that the store has to be charged now. Of sliding windows, that is only what is still in them:
 * otherwise an hour of outage would be charged to the one minute after it.
 */
function dueAt(owed: readonly Owed[], now: number): Charge[] {
  const due = new Map<string, Charge>();
  for (const { until, ...charge } of owed) {
    if (until <= now) continue;
    const name = nameOf(charge);
    due.set(name, { ...charge, amount: charge.amount + (due.get(name)?.amount ?? 0) });
  }
  return [...due.values()];
}

/** A name for a count and the period of it that is charged. */
function nameOf({ limit, period }: Charge): string {
  return `${countName(limit)} ${period?.index}`;
}

/**
 * Charges a debt to the store. One reserve charges each count once, so a second period of the same budget needs
 * another.
 */
async function pay(
  store: Pick<Counters, "reserve">,
  orgId: string,
  { id, owed }: Debt,
  now: number,
): Promise<void> {
  const rounds: Charge[][] = [];
  for (const charge of dueAt(owed, now)) {
    const round = rounds.find((one) => !one.some(({ limit }) => sameCount(limit, charge.limit)));
    if (round) round.push(charge);
    else rounds.push([charge]);
  }
  for (const [i, round] of rounds.entries()) {
    await store.reserve({ id: `${id}.${i}`, orgId, now, ttlMs: DEBT_TTL_MS, charges: round.map(unrefused) });
  }
}

/**
 * A debt is paid as a reservation that nobody settles, so that what it charged stays charged. While it lives, a second
 * try with its id charges nothing. An outage after a lost answer may last this long, in milliseconds.
 */
const DEBT_TTL_MS = 86_400_000;

/** The amount that charges add to the count of one charge. */
export function amountIn(charges: readonly Charge[], { limit }: Charge): number {
  return charges.find((one) => sameCount(one.limit, limit))?.amount ?? 0;
}

/** The charge with its limit in shadow mode, so that it is made however full the limit is. */
export function unrefused({ limit, amount, period }: Charge): Charge {
  const shadow: Limit = { ...limit, mode: "shadow" };
  return { limit: shadow, amount, period };
}
