import type { Charge } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { Counters } from "../../counters/counters.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";

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

/** The charges of closed reservations, on their way to the store. The id makes it harmless to send them twice. */
interface Debt {
  readonly id: string;
  readonly owed: readonly Owed[];
}

/** The charges of the ended calls of one org, until the store has them. */
export class LocalDebts {
  readonly #orgId: string;
  readonly #ids: ReservationIds;
  /** The charges of closed reservations, one sum for each bucket of a sliding window. */
  readonly #closed = new Map<string, Owed>();
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

  /** Charges the store with everything, step by step. If a step fails, the rest is kept for the next time. */
  async pay(store: Pick<Counters, "reserve">, now: number): Promise<void> {
    if (this.#closed.size > 0) this.#debts.push({ id: this.#ids.next(), owed: [...this.#closed.values()] });
    this.#closed.clear();
    for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
      await pay(store, this.#orgId, debt, now);
      this.#debts.shift();
    }
  }

  #owe(charge: Charge, at: number, now: number): void {
    const { limit, amount, period } = charge;
    const until = limit.window.kind === "sliding" ? emptyAfter(limit.window.lengthMs, at) : Infinity;
    if (amount === 0 || until <= now) return;
    const key = JSON.stringify([limit.scopeKey, limit.field, period?.index, until]);
    const before = this.#closed.get(key);
    if (before === undefined) this.#forget(now);
    this.#closed.set(key, { ...charge, amount: amount + (before?.amount ?? 0), until });
  }

  /**
   * Forgets what has left its window. So there are never more sums than a window has buckets, however long the outage
   * is.
   */
  #forget(now: number): void {
    for (const [key, { until }] of this.#closed) if (until <= now) this.#closed.delete(key);
  }
}

/**
 * The part of a debt that the store has to be charged now. Of sliding windows, that is only what is still in them:
 * otherwise an hour of outage would be charged to the one minute after it.
 */
function dueAt(owed: readonly Owed[], now: number): readonly Charge[] {
  const due: Charge[] = [];
  for (const { until, ...charge } of owed) {
    if (until <= now) continue;
    const place = due.findIndex((one) => isSame(one, charge));
    const before = due[place];
    if (before === undefined) due.push(charge);
    else due[place] = { ...before, amount: before.amount + charge.amount };
  }
  return due;
}

function isSame(a: Charge, b: Charge): boolean {
  return sameCount(a.limit, b.limit) && a.period?.index === b.period?.index;
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
