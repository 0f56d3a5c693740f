import type { Charge } from "../admission/charge.js";
import { type Limit, sameCount } from "../admission/limit.js";
import type { Counters, ReserveRequest } from "../counters/counters.js";
import type { ReservationIds } from "../counters/reservation-ids.js";
import { undoOf } from "./lost-reserves.js";

export type Store = Pick<Counters, "reserve" | "settle">;

/** A reservation that was made here while the store did not answer. */
export interface LocalReservation {
  readonly expiresAt: number;
  readonly charges: readonly Charge[];
  /** The store takes it over under the same key, so that a request that comes again finds it. */
  readonly idempotency: ReserveRequest["idempotency"];
}

/** The counts of this process. */
interface CountsHere {
  /** Ends a reservation that the store has taken over. */
  end(id: string, reservation: LocalReservation, now: number): void;
  /** What stands on the counts of charges. */
  used(charges: readonly Charge[], now: number): readonly number[];
}

/** What closed reservations came to, on its way to the store under an id that makes a second try harmless. */
interface Debt {
  readonly id: string;
  readonly charges: readonly Charge[];
}

/** What was counted here for one org and is not in the store yet. */
export class LocalAccount {
  readonly orgId: string;
  readonly #ids: ReservationIds;
  readonly #here: CountsHere;
  readonly #open = new Map<string, LocalReservation>();
  /** Reservations that the store was asked to take over and has not said that it did: it may hold them. */
  readonly #offered = new Map<string, LocalReservation>();
  /** What those of them came to that have ended here meanwhile. */
  readonly #ended = new Map<string, readonly Charge[]>();
  /** What closed reservations came to. */
  #closed: readonly Charge[] = [];
  #debts: Debt[] = [];

  constructor(orgId: string, ids: ReservationIds, here: CountsHere) {
    this.orgId = orgId;
    this.#ids = ids;
    this.#here = here;
  }

  /** Whether there is something that the store does not know of. */
  get owes(): boolean {
    return this.#open.size + this.#offered.size + this.#closed.length + this.#debts.length > 0;
  }

  get(id: string): LocalReservation | undefined {
    return this.#open.get(id);
  }

  /** Notes a reservation that was made or extended here. */
  open(id: string, reservation: LocalReservation): void {
    this.#open.set(id, reservation);
  }

  /** Notes that a reservation has ended here, and what it came to. */
  close(id: string, charges: readonly Charge[]): void {
    this.#open.delete(id);
    if (this.#offered.has(id)) this.#ended.set(id, charges);
    else this.#add(charges);
  }

  /** Gives the store all of it, step by step; where one fails, what is left is kept for the next time. */
  async give(store: Store, now: number): Promise<void> {
    for (const [id, reservation] of this.#open) {
      if (reservation.expiresAt > now) await this.#offer(store, id, reservation, now);
    }
    for (const [id, reservation] of this.#offered) await this.#takeBack(store, id, reservation, now);
    for (const [id, { expiresAt, charges }] of this.#open) if (expiresAt <= now) this.close(id, charges);
    if (this.#closed.length > 0) this.#debts.push({ id: this.#ids.next(), charges: this.#closed });
    this.#closed = [];
    for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
      await pay(store, this.orgId, { ...debt, charges: this.#stillCounted(debt.charges, now) }, now);
      this.#debts.shift();
    }
  }

  async #offer(store: Store, id: string, reservation: LocalReservation, now: number): Promise<void> {
    const { expiresAt, charges, idempotency } = reservation;
    this.#offered.set(id, reservation);
    const offer = { id, orgId: this.orgId, now, ttlMs: expiresAt - now, charges: charges.map(unrefused) };
    let answer = await store.reserve({ ...offer, idempotency });
    const isHeld = answer.outcome === "reserved" || (answer.outcome === "replayed" && answer.id === id);
    // From before the outage, another reservation has the key. Both calls were made, so both count.
    if (!isHeld) answer = await store.reserve(offer);
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
        this.#here.end(id, open, now);
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
  async #takeBack(store: Store, id: string, { charges }: LocalReservation, now: number): Promise<void> {
    const { outcome } = await store.settle(undoOf({ id, orgId: this.orgId, charges }, now));
    const came = this.#ended.get(id) ?? this.#open.get(id)?.charges ?? [];
    for (const noted of [this.#offered, this.#ended, this.#open]) noted.delete(id);
    // What it let expire stays charged there.
    this.#add(outcome === "expired" ? beyond(came, charges) : came);
  }

  /** Of a sliding window no more than what is in it now: an outage of an hour would else use up the minute after it sixty times. */
  #stillCounted(charges: readonly Charge[], now: number): Charge[] {
    const used = this.#here.used(charges, now);
    return charges.map((charge, i) => {
      if (charge.limit.window.kind !== "sliding") return charge;
      return { ...charge, amount: Math.min(charge.amount, used[i] ?? 0) };
    });
  }

  #add(charges: readonly Charge[]): void {
    const sum = [...this.#closed];
    // A slot of a call that has ended is free: there is nothing to give.
    for (const charge of charges.filter(({ amount, limit }) => amount > 0 && limit.meter !== "inFlight")) {
      const place = sum.findIndex((one) => isSame(one, charge));
      const before = sum[place];
      if (before === undefined) sum.push(charge);
      else sum[place] = { ...before, amount: before.amount + charge.amount };
    }
    this.#closed = sum;
  }
}

function isSame(a: Charge, b: Charge): boolean {
  return sameCount(a.limit, b.limit) && a.period?.index === b.period?.index;
}

/** Pays in rounds: one reserve charges a count for one period only, so a second period of a count has to wait for the next round. */
async function pay(store: Store, orgId: string, { id, charges }: Debt, now: number): Promise<void> {
  const rounds: Charge[][] = [];
  for (const charge of charges) {
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
    const amount = charge.amount - (held.find((one) => sameCount(one.limit, charge.limit))?.amount ?? 0);
    return amount > 0 ? [{ ...charge, amount }] : [];
  });
}

/** A charge that is made whatever its limit says. */
function unrefused({ limit, amount, period }: Charge): Charge {
  const shadow: Limit = { ...limit, mode: "shadow" };
  return { limit: shadow, amount, period };
}
