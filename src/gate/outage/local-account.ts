import type { Charge } from "../../admission/charge.js";
import type { ReserveOutcome, ReserveRequest } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";
import type { GuardedCounters } from "./guarded-counters.js";
import { amountIn, type Ended, LocalDebts, type Part, unrefused } from "./local-debts.js";
import { undoOf } from "./lost-reserves.js";

/** The part of the shared counters that is needed to hand over what was counted in this process. */
export type Store = Pick<GuardedCounters, "reserve" | "settle">;

/** A reservation made here while the store did not answer. */
export interface LocalReservation {
  readonly expiresAt: number;
  readonly charges: readonly Charge[];
  /**
   * The same charges, in one part for the reserve and one for each extension: a sliding window needs the moment of
   * each.
   */
  readonly parts: readonly Part[];
  /** The store takes it over under the same key, so that a repeated request finds it. */
  readonly idempotency: ReserveRequest["idempotency"];
}

/** A reservation that the store was asked to take over and has not confirmed. It may or may not hold it. */
interface Offer {
  /** What the store holds at least, if it holds the reservation. */
  readonly least: LocalReservation;
  /** The same with the extension that it was asked for last. */
  readonly most: LocalReservation;
}

/** What was counted here for one org and is not in the store yet. */
export class LocalAccount {
  readonly orgId: string;
  readonly #endHere: (id: string, reservation: LocalReservation, now: number) => void;
  readonly #open = new Map<string, LocalReservation>();
  readonly #offered = new Map<string, Offer>();
  /** How those of them ended that ended here before the store confirmed them. */
  readonly #ended = new Map<string, Ended>();
  /** Offered reservations that were undone at the store, because they are counted here after all. */
  readonly #takenBack = new RecentIds<string, true>();
  /** The charges of the calls that have ended here. */
  readonly #debts: LocalDebts;

  /** @param endHere ends a reservation here that the store has taken over */
  constructor(
    orgId: string,
    ids: ReservationIds,
    endHere: (id: string, reservation: LocalReservation, now: number) => void,
  ) {
    this.orgId = orgId;
    this.#debts = new LocalDebts(orgId, ids);
    this.#endHere = endHere;
  }

  /** Whether there is something that the store does not know of. */
  get owes(): boolean {
    return this.#open.size + this.#offered.size > 0 || this.#debts.owes;
  }

  get(id: string): LocalReservation | undefined {
    return this.#open.get(id);
  }

  /** Notes a reservation that was made or extended here. */
  open(id: string, reservation: LocalReservation): void {
    this.#open.set(id, reservation);
  }

  /** Notes that a reservation has ended here, and what it was charged. */
  close(id: string, came: readonly Charge[], at: number): void {
    const ended = { parts: this.#open.get(id)?.parts ?? [], at, came };
    this.#open.delete(id);
    if (this.#offered.has(id)) this.#ended.set(id, ended);
    else this.#debts.add(ended);
  }

  /** Gives the store everything, step by step. If a step fails, the rest is kept for the next time. */
  async give(store: Store, now: number): Promise<void> {
    for (const [id, reservation] of this.#open) {
      if (reservation.expiresAt > now) await this.#offer(store, id, reservation, now);
    }
    for (const [id, offer] of this.#offered) await this.#takeBack(store, id, offer, now);
    for (const [id, { expiresAt, charges }] of this.#open) if (expiresAt <= now) this.close(id, charges, now);
    await this.#debts.pay(store, now);
  }

  async #offer(store: Store, id: string, reservation: LocalReservation, now: number): Promise<void> {
    // Each try offers the same, so that it is known what the store holds, whichever try it was that reached it.
    const { least, most } = this.#offered.get(id) ?? { least: reservation, most: reservation };
    const { expiresAt, charges, parts, idempotency } = least;
    this.#offered.set(id, { least, most });
    // With the moment of its admission: whoever is given it for the same request id reports that same call to the
    // ledger.
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
   * Extends the store's reservation until it holds as much as the one here, which may have been extended meanwhile, or
   * before an answer that was lost. In the same step in which nothing is missing any more, the reservation ends here
   * and is the store's.
   *
   * @param held what the store's reservation holds so far
   */
  async #handOver(store: Store, id: string, held: readonly Charge[], now: number): Promise<void> {
    let known: readonly Charge[] | undefined = held;
    // Ends early if the call is settled here. Repeats only if the call was extended here once more.
    for (let open = this.#open.get(id); open !== undefined; open = this.#open.get(id)) {
      const missing = known === undefined ? [] : beyond(open.charges, known);
      if (missing.length === 0) {
        this.#open.delete(id);
        this.#offered.delete(id);
        this.#endHere(id, open, now);
        return;
      }
      const least = this.#offered.get(id)?.least ?? open;
      this.#offered.set(id, { least, most: open });
      const charges = missing.map(unrefused);
      const { outcome } = await store.reserve({
        id,
        orgId: this.orgId,
        now,
        ttlMs: 1,
        charges,
        extend: true,
      });
      this.#offered.set(id, { least: open, most: open });
      known = outcome === "reserved" ? open.charges : undefined; // another process has settled it there
    }
  }

  /**
   * Undoes an offered reservation at the store: its call ended here before the store confirmed it, so it is counted
   * here.
   */
  async #takeBack(store: Store, id: string, { least, most }: Offer, now: number): Promise<void> {
    this.#takenBack.add(id, true);
    const { outcome } = await store.settle(undoOf({ id, orgId: this.orgId, charges: most.charges }, now));
    const open = this.#open.get(id);
    if (open !== undefined) this.close(id, open.charges, now); // its TTL is over
    const ended = this.#ended.get(id);
    this.#offered.delete(id);
    this.#ended.delete(id);
    // If the store has let it expire, what it held stays charged there. An extension whose answer was lost may then be
    // charged twice, as is a call that another process has settled there: both err on the side of refusing.
    if (ended !== undefined) this.#debts.add(outcome === "expired" ? since(least, ended) : ended);
  }
}

/** Whether an answer means that the store holds the reservation it was offered. */
function isHeld(answer: ReserveOutcome, id: string): boolean {
  return answer.outcome === "reserved" || (answer.outcome === "replayed" && answer.id === id);
}

/** What an end was charged beyond what the store holds, and which parts were charged after that. */
function since(held: LocalReservation, { parts, at, came }: Ended): Ended {
  return { parts: parts.slice(held.parts.length), at, came: beyond(came, held.charges) };
}

/** The part of each charge above what is held of the same count. */
function beyond(charges: readonly Charge[], held: readonly Charge[]): Charge[] {
  return charges.flatMap((charge) => {
    const amount = charge.amount - amountIn(held, charge);
    return amount > 0 ? [{ ...charge, amount }] : [];
  });
}
