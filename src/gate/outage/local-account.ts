import type { Charge } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import { emptyAfter } from "../../admission/sliding-count.js";
import type { Counters, ReserveOutcome, ReserveRequest } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";
import type { StepListeners } from "./guarded-counters.js";
import { undoOf } from "./lost-reserves.js";

/** The shared counters, as far as they are needed to hand over what was counted in this process. */
export interface Store extends Pick<Counters, "settle"> {
  reserve(request: ReserveRequest, told?: StepListeners<ReserveOutcome>): Promise<ReserveOutcome>;
}

/** A reservation that was made here while the store did not answer. */
export interface LocalReservation {
  readonly expiresAt: number;
  readonly charges: readonly Charge[];
  /** The same charges, one part for the reserve and one for each extension: a sliding window needs the moment of each. */
  readonly parts: readonly Part[];
  /** The store takes it over under the same key, so that a request that comes again finds it. */
  readonly idempotency: ReserveRequest["idempotency"];
}

/** What one reserve or extension charged, and when. */
interface Part {
  readonly at: number;
  readonly charges: readonly Charge[];
}

/** A reservation that has ended here: it was settled, or its TTL is over. */
interface Ended {
  readonly parts: readonly Part[];
  /** When it ended. */
  readonly at: number;
  /** What it came to: the amounts of its settle, or all that it had charged. */
  readonly came: readonly Charge[];
}

/** A charge that the store has to be given. */
interface Owed extends Charge {
  /** The moment from which the charge has left its sliding window, so that nobody need be told of it. */
  readonly until: number;
}

/** What closed reservations came to, on its way to the store. The id makes it harmless to send it a second time. */
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
  /** Reservations that the store was asked to take over and that it has not confirmed: it may hold them or not. */
  readonly #offered = new Map<string, LocalReservation>();
  /** How those offered ones ended that ended here before the store confirmed them. */
  readonly #ended = new Map<string, Ended>();
  /** Offered ones that were undone at the store, because they are counted here after all. */
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
    // With the moment of its admission: whoever gets it as the answer to the same request id tells the ledger of that same call.
    const at = parts[0]?.at ?? now;
    const ttlMs = expiresAt - now;
    const offer = { id, orgId: this.orgId, now: at, ttlMs, charges: charges.map(unrefused) };
    // The store may answer so late that it makes the reservation only after it was asked to undo it.
    const told = {
      onLate: (answer: ReserveOutcome) =>
        isHeld(answer, id) && this.#takenBack.get(id) && store.settle(undoOf(offer, now)),
    };
    let answer = await store.reserve({ ...offer, idempotency }, told);
    // Another reservation, from before the outage, has the idempotency key. Both calls were sent, so both count.
    if (!isHeld(answer, id)) answer = await store.reserve(offer, told);
    await this.#handOver(store, id, "charges" in answer ? answer.charges : charges, now);
  }

  /**
   * Extends the store's reservation until it holds as much as the one here, which may have been extended meanwhile, or before an
   * answer that was lost. As soon as nothing is missing, and in the same step, the reservation ends here and is the store's.
   *
   * @param held what the store's reservation holds so far
   */
  async #handOver(store: Store, id: string, held: readonly Charge[], now: number): Promise<void> {
    let known: readonly Charge[] | undefined = held;
    // Ends early where the call is settled here. Goes round again only where the call was extended here once more.
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

  /** Undoes an offered reservation at the store: its call ended here before the store confirmed it, so it is counted here. */
  async #takeBack(store: Store, id: string, offered: LocalReservation, now: number): Promise<void> {
    this.#takenBack.add(id, true);
    const { outcome } = await store.settle(undoOf({ id, orgId: this.orgId, charges: offered.charges }, now));
    const open = this.#open.get(id);
    if (open !== undefined) this.close(id, open.charges, now); // its TTL is over
    const ended = this.#ended.get(id);
    this.#offered.delete(id);
    this.#ended.delete(id);
    // Where the store has let it expire, what was offered stays charged there.
    if (ended !== undefined) this.#add(outcome === "expired" ? since(offered, ended) : ended);
  }

  /**
   * Adds what a call that has ended came to. Its amount is put on its parts, the earliest first, each up to what it had charged; what
   * is left over counts at the moment of its end.
   */
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

  /** Forgets what has left its window. So there are never more sums than a window has buckets, however long the outage is. */
  #forget(now: number): void {
    for (const [key, { until }] of this.#closed) if (until <= now) this.#closed.delete(key);
  }
}

/** Whether an answer is that the store holds the reservation that it was offered. */
function isHeld(answer: ReserveOutcome, id: string): boolean {
  return answer.outcome === "reserved" || (answer.outcome === "replayed" && answer.id === id);
}

/** What an end came to beyond what was offered to the store, and which parts were charged after the offer. */
function since(offered: LocalReservation, { parts, at, came }: Ended): Ended {
  return { parts: parts.slice(offered.parts.length), at, came: beyond(came, offered.charges) };
}

/**
 * What of a debt the store has to be charged now: of sliding windows only what is still in them. Otherwise an hour of outage
 * would be charged to the one minute after it.
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

/** Charges a debt to the store. One reserve charges each count once, so a second period of the same budget goes into a further reserve. */
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
 * A debt is paid as a reservation that nobody settles, so that what it charged stays charged. While it lives, a second try
 * with its id charges nothing: this long an outage may go on after an answer that was lost.
 */
const DEBT_TTL_MS = 86_400_000;

/** The part of each charge that is above what is held of the same count. */
function beyond(charges: readonly Charge[], held: readonly Charge[]): Charge[] {
  return charges.flatMap((charge) => {
    const amount = charge.amount - amountIn(held, charge);
    return amount > 0 ? [{ ...charge, amount }] : [];
  });
}

/** The amount that charges put on the count of one charge. */
function amountIn(charges: readonly Charge[], { limit }: Charge): number {
  return charges.find((one) => sameCount(one.limit, limit))?.amount ?? 0;
}

/** The charge with its limit in shadow mode, so that it is made however full the limit is. */
function unrefused({ limit, amount, period }: Charge): Charge {
  const shadow: Limit = { ...limit, mode: "shadow" };
  return { limit: shadow, amount, period };
}
