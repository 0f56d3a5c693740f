import type { Charge } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { Counters, ReserveOutcome, ReserveRequest } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";
import type { Told } from "./guarded-counters.js";
import { undoOf } from "./lost-reserves.js";

export interface Store extends Pick<Counters, "settle"> {
  reserve(request: ReserveRequest, told?: Told<ReserveOutcome>): Promise<ReserveOutcome>;
}

/** A reservation that was made here while the store did not answer. */
export interface LocalReservation {
  readonly expiresAt: number;
  readonly charges: readonly Charge[];
  /** The same by the moments at which they were made, the latest last. */
  readonly parts: readonly Part[];
  /** The store takes it over under the same key, so that a request that comes again finds it. */
  readonly idempotency: ReserveRequest["idempotency"];
}

interface Part {
  readonly at: number;
  readonly charges: readonly Charge[];
}

/** How a reservation has ended here, and what it came to. */
interface Ended {
  readonly parts: readonly Part[];
  readonly at: number;
  readonly came: readonly Charge[];
}

interface Owed extends Charge {
  /** From then on it is in no window any more. */
  readonly until: number;
}

/** What closed reservations came to, on its way to the store under an id that makes a second try harmless. */
interface Debt {
  readonly id: string;
  readonly owed: readonly Owed[];
}

/** What was counted here for one org and is not in the store yet. */
export class LocalAccount {
  readonly orgId: string;
  readonly #ids: ReservationIds;
  readonly #endHere: (id: string, reservation: LocalReservation, now: number) => void;
  readonly #open = new Map<string, LocalReservation>();
  /** Reservations that the store was asked to take over and has not said that it did: it may hold them. */
  readonly #offered = new Map<string, LocalReservation>();
  /** Those of them that have ended here meanwhile. */
  readonly #ended = new Map<string, Ended>();
  /** Those of them that were undone at the store. */
  readonly #takenBack = new RecentIds<string, true>();
  /** What closed reservations came to, one sum for each bucket of a sliding window. */
  readonly #closed = new Map<string, Owed>();
  #debts: Debt[] = [];

  /** @param endHere ends a reservation here that the store has taken over */
  constructor(
    orgId: string,
    ids: ReservationIds,
    endHere: (id: string, reservation: LocalReservation, now: number) => void,
  ) {
    this.orgId = orgId;
    this.#ids = ids;
    this.#endHere = endHere;
  }

  /** Whether there is something that the store does not know of. */
  get owes(): boolean {
    return this.#open.size + this.#offered.size + this.#closed.size + this.#debts.length > 0;
  }

  get(id: string): LocalReservation | undefined {
    return this.#open.get(id);
  }

  /** Notes a reservation that was made or extended here. */
  open(id: string, reservation: LocalReservation): void {
    this.#open.set(id, reservation);
  }

  /** Notes that a reservation has ended here, and what it came to. */
  close(id: string, came: readonly Charge[], at: number): void {
    const ended = { parts: this.#open.get(id)?.parts ?? [], at, came };
    this.#open.delete(id);
    if (this.#offered.has(id)) this.#ended.set(id, ended);
    else this.#add(ended);
  }

  /** Gives the store all of it, step by step; where one fails, what is left is kept for the next time. */
  async give(store: Store, now: number): Promise<void> {
    for (const [id, reservation] of this.#open) {
      if (reservation.expiresAt > now) await this.#offer(store, id, reservation, now);
    }
    for (const [id, reservation] of this.#offered) await this.#takeBack(store, id, reservation, now);
    for (const [id, { expiresAt, charges }] of this.#open) if (expiresAt <= now) this.close(id, charges, now);
    if (this.#closed.size > 0) this.#debts.push({ id: this.#ids.next(), owed: [...this.#closed.values()] });
    this.#closed.clear();
    for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
      await pay(store, this.orgId, debt, now);
      this.#debts.shift();
    }
  }

  async #offer(store: Store, id: string, reservation: LocalReservation, now: number): Promise<void> {
    const { expiresAt, charges, parts, idempotency } = reservation;
    this.#offered.set(id, reservation);
    // As of its admission: whoever finds it there by its request id tells the ledger of the same call.
    const at = parts[0]?.at ?? now;
    const ttlMs = expiresAt - now;
    const offer = { id, orgId: this.orgId, now: at, ttlMs, charges: charges.map(unrefused) };
    // The store may have made it only after it was to undo it.
    const told = {
      onLate: (answer: ReserveOutcome) =>
        isHeld(answer, id) && this.#takenBack.get(id) && store.settle(undoOf(offer, now)),
    };
    let answer = await store.reserve({ ...offer, idempotency }, told);
    // From before the outage, another reservation has the key. Both calls were made, so both count.
    if (!isHeld(answer, id)) answer = await store.reserve(offer, told);
    await this.#handOver(store, id, "charges" in answer ? answer.charges : charges, now);
  }

  /**
   * Adds to a reservation of the store what extensions here have added meanwhile, or after an answer that was lost; once
   * nothing is missing it is the store's, in the same step.
   */
  async #handOver(store: Store, id: string, held: readonly Charge[], now: number): Promise<void> {
    let known: readonly Charge[] | undefined = held;
    // Until it is settled here. Another round is only for another extension.
    for (let open = this.#open.get(id); open !== undefined; open = this.#open.get(id)) {
      const missing = known === undefined ? [] : beyond(open.charges, known);
      if (missing.length === 0) {
        this.#open.delete(id);
        this.#offered.delete(id);
        this.#endHere(id, open, now);
        return;
      }
      this.#offered.set(id, open);
      const charges = missing.map(unrefused);
      const { outcome } = await store.reserve({
        id,
        orgId: this.orgId,
        now,
        ttlMs: 1,
        charges,
        extend: true,
      });
      known = outcome === "reserved" ? open.charges : undefined; // another process has settled it there
    }
  }

  /** Undoes at the store what is counted here after all: a call that ended before the store said that it holds it. */
  async #takeBack(store: Store, id: string, offered: LocalReservation, now: number): Promise<void> {
    this.#takenBack.add(id, true);
    const { outcome } = await store.settle(undoOf({ id, orgId: this.orgId, charges: offered.charges }, now));
    const open = this.#open.get(id);
    if (open !== undefined) this.close(id, open.charges, now); // by its TTL
    const ended = this.#ended.get(id);
    this.#offered.delete(id);
    this.#ended.delete(id);
    // What it let expire stays charged there.
    if (ended !== undefined) this.#add(outcome === "expired" ? since(offered, ended) : ended);
  }

  /** Each part keeps what was used of it, those that were charged first before the others; what is above them all was charged at the end. */
  #add({ parts, at, came }: Ended): void {
    for (const charge of came) {
      // A slot of a call that has ended is free: there is nothing to give.
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

  #owe(charge: Charge, at: number, now: number): void {
    const { limit, amount, period } = charge;
    const until = limit.window.kind === "sliding" ? emptyAfter(limit.window.lengthMs, at) : Infinity;
    if (amount === 0 || until <= now) return;
    const key = JSON.stringify([limit.scopeKey, limit.field, period?.index, until]);
    const before = this.#closed.get(key);
    if (before === undefined) this.#forget(now);
    this.#closed.set(key, { ...charge, amount: amount + (before?.amount ?? 0), until });
  }

  /** So that they are no more than the buckets of a window, however long the outage is. */
  #forget(now: number): void {
    for (const [key, { until }] of this.#closed) if (until <= now) this.#closed.delete(key);
  }
}

/** Whether an answer is that the store holds the reservation that it was offered. */
function isHeld(answer: ReserveOutcome, id: string): boolean {
  return answer.outcome === "reserved" || (answer.outcome === "replayed" && answer.id === id);
}

/** What an end adds to what was offered. */
function since(offered: LocalReservation, { parts, at, came }: Ended): Ended {
  return { parts: parts.slice(offered.parts.length), at, came: beyond(came, offered.charges) };
}

/** Of a sliding window no more than what is in it now: an outage of an hour would else use up the minute after it sixty times. */
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

/** Pays in rounds: one reserve charges a count for one period only, so a second period of a count has to wait for the next round. */
async function pay(store: Store, orgId: string, { id, owed }: Debt, now: number): Promise<void> {
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
 * A debt is a reservation that nobody settles: what it has charged stays charged. Until it ends, a second try, after an answer
 * that was lost and however long the outage went on, finds it there.
 */
const DEBT_TTL_MS = 86_400_000;

/** What of charges is above what is held. */
function beyond(charges: readonly Charge[], held: readonly Charge[]): Charge[] {
  return charges.flatMap((charge) => {
    const amount = charge.amount - amountIn(held, charge);
    return amount > 0 ? [{ ...charge, amount }] : [];
  });
}

/** What charges put on the count of one. */
function amountIn(charges: readonly Charge[], { limit }: Charge): number {
  return charges.find((one) => sameCount(one.limit, limit))?.amount ?? 0;
}

/** A charge that is made whatever its limit says. */
function unrefused({ limit, amount, period }: Charge): Charge {
  const shadow: Limit = { ...limit, mode: "shadow" };
  return { limit: shadow, amount, period };
}
