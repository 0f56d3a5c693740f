import type { Charge, Charges } from "../admission/charge.js";
import { type Limit, sameCount } from "../admission/limit.js";
import type {
  Counters,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../counters/counters.js";
import { memoryCounters } from "../counters/memory.js";
import type { ReservationIds } from "../counters/reservation-ids.js";

type Store = Pick<Counters, "reserve" | "settle">;

/** A reservation that was made here while the store did not answer. */
interface LocalReservation {
  readonly orgId: string;
  readonly expiresAt: number;
  readonly charges: readonly Charge[];
  /** The store takes it over under the same key, so that a request that comes again finds it. */
  readonly idempotency: ReserveRequest["idempotency"];
}

/** What closed reservations of an org came to, on its way to the store under an id that makes a second try harmless. */
interface Debt {
  readonly id: string;
  readonly orgId: string;
  readonly charges: readonly Charge[];
}

/**
 * Counts in this process while the store does not answer, against a share of each limit, and remembers what it counted
 * until the store has it.
 *
 * The store counts it when it is back, over a max if need be: the calls were made. Until then, other processes do not know of
 * it. What this process dies with is lost to the store.
 */
export class LocalCounting implements Counters {
  readonly inProcess = true;
  readonly #counters = memoryCounters();
  readonly #share: number;
  readonly #ids: ReservationIds;
  readonly #open = new Map<string, LocalReservation>();
  /** Reservations that the store was asked to take over and has not said that it did: it may hold them. */
  readonly #offered = new Map<string, LocalReservation>();
  /** Reservations that the store has taken over, until they would have ended; they are settled there. */
  readonly #moved = new Map<string, number>();
  /** What closed reservations came to, by org. */
  #closed = new Map<string, readonly Charge[]>();
  #debts: Debt[] = [];
  #giving: Promise<void> | undefined;

  /**
   * @param share the part of each limit that may be used here, above 0 and at most 1
   * @param ids makes the ids of this process' reservations: no other reservation of the store has one of them
   */
  constructor(share: number, ids: ReservationIds) {
    this.#share = share;
    this.#ids = ids;
  }

  /** The charges against this process's share of each limit that refuses: rounded up, so that no limit becomes nothing. */
  shared({ limits, amounts, periods }: Charges): Charges {
    const shares = limits.map((limit) =>
      limit.mode === "shadow" ? limit : { ...limit, max: Math.ceil(limit.max * this.#share) },
    );
    return { limits: shares, amounts, periods };
  }

  /** Whether a reservation that was counted locally is kept here: it is not where another process made it, or the store took it over. */
  keeps(id: string): boolean {
    return !Number.isNaN(this.#ids.orderOf(id)) && !this.#moved.has(id);
  }

  /** Whether there is something that the store does not know of. */
  get owes(): boolean {
    const owed = this.#open.size + this.#offered.size + this.#closed.size + this.#debts.length;
    return owed > 0;
  }

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const outcome = await this.#counters.reserve(request);
    if (outcome.outcome === "reserved" && !request.dryRun) {
      const { id, charges, expiresAt } = outcome;
      const idempotency = request.idempotency ?? this.#open.get(id)?.idempotency;
      this.#open.set(id, { orgId: request.orgId, expiresAt, charges, idempotency });
    }
    return outcome;
  }

  async settle(request: SettleRequest): Promise<SettleOutcome> {
    const outcome = await this.#counters.settle(request);
    if (outcome.outcome === "settled") {
      this.#open.delete(request.id);
      this.#add(request.orgId, request.amounts);
    }
    return outcome;
  }

  read(query: ReadQuery) {
    return this.#counters.read(query);
  }

  close(): Promise<void> {
    return this.#counters.close();
  }

  /**
   * Gives the store what was counted here: what is closed as one sum for each org, what is open as reservations that it
   * holds from now on. Where the store fails again, the rest is kept for the next time. Whoever asks while it is being given
   * waits for that.
   */
  giveBack(store: Store, now: number): Promise<void> {
    this.#giving ??= this.#give(store, now).finally(() => {
      this.#giving = undefined;
    });
    return this.#giving;
  }

  async #give(store: Store, now: number): Promise<void> {
    for (const [id, endsAt] of this.#moved) if (endsAt <= now) this.#moved.delete(id);
    for (const [id, reservation] of this.#open) {
      if (reservation.expiresAt > now) await this.#offer(store, id, reservation, now);
    }
    for (const [id, reservation] of this.#offered) await this.#takeBack(store, id, reservation, now);
    for (const [id, { orgId, expiresAt, charges }] of this.#open) {
      if (expiresAt > now) continue;
      this.#open.delete(id);
      this.#add(orgId, charges);
    }
    for (const [orgId, charges] of this.#closed) this.#debts.push({ id: this.#ids.next(), orgId, charges });
    this.#closed = new Map();
    for (let debt = this.#debts[0]; debt !== undefined; debt = this.#debts[0]) {
      await pay(store, debt, now);
      this.#debts.shift();
    }
  }

  async #offer(store: Store, id: string, reservation: LocalReservation, now: number): Promise<void> {
    const { orgId, expiresAt, charges, idempotency } = reservation;
    this.#offered.set(id, reservation);
    const offer = { id, orgId, now, ttlMs: expiresAt - now, charges: charges.map(unrefused) };
    const answer = await store.reserve({ ...offer, idempotency });
    const isHeld = answer.outcome === "reserved" || (answer.outcome === "replayed" && answer.id === id);
    // Another reservation, from before the outage, has the idempotency key. Both calls were made, so both count.
    if (!isHeld) await store.reserve(offer);
    if (!this.#open.delete(id)) return; // settled here meanwhile
    this.#offered.delete(id);
    this.#moved.set(id, expiresAt);
  }

  /** Undoes at the store what was counted here after all: a call that ended before the store said that it holds it. */
  async #takeBack(
    store: Store,
    id: string,
    { orgId, charges }: LocalReservation,
    now: number,
  ): Promise<void> {
    const { outcome } = await store.settle({ id, orgId, now, amounts: charges.map(undone) });
    this.#offered.delete(id);
    // A reservation that the store let expire stays charged there, and must not be charged a second time.
    if (outcome === "expired") this.#open.delete(id);
  }

  #add(orgId: string, charges: readonly Charge[]): void {
    const sum = [...(this.#closed.get(orgId) ?? [])];
    // A slot of a call that has ended is free: there is nothing to give.
    for (const charge of charges.filter(({ amount, limit }) => amount > 0 && limit.meter !== "inFlight")) {
      const place = sum.findIndex((one) => isSame(one, charge));
      const before = sum[place];
      if (before === undefined) sum.push(charge);
      else sum[place] = { ...before, amount: before.amount + charge.amount };
    }
    if (sum.length > 0) this.#closed.set(orgId, sum);
  }
}

function isSame(a: Charge, b: Charge): boolean {
  return sameCount(a.limit, b.limit) && a.period?.index === b.period?.index;
}

/** Pays in rounds: one reserve charges a count for one period only, so a second period of a count has to wait for the next round. */
async function pay(store: Store, { id, orgId, charges }: Debt, now: number): Promise<void> {
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

function undone({ limit, period }: Charge): Charge {
  return { limit, amount: 0, period };
}

/** A charge that is made whatever its limit says. */
function unrefused({ limit, amount, period }: Charge): Charge {
  const shadow: Limit = { ...limit, mode: "shadow" };
  return { limit: shadow, amount, period };
}
