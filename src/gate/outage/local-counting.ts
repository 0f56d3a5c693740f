import type { Charges, Reading } from "../../admission/charge.js";
import type {
  Counters,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../../counters/counters.js";
import { Counting } from "../../counters/counting.js";
import { OpenReservations } from "../../counters/open-reservations.js";
import type { ReservationIds } from "../../counters/reservation-ids.js";
import { ScopeCounts } from "../../counters/scope-counts.js";
import { chunks } from "../chunks.js";
import { LocalAccount, type LocalReservation, type Store } from "./local-account.js";

/** How many orgs are handed over to the store at once. */
const AT_A_TIME = 32;

/**
 * Counts in this process while the store does not answer, against a share of each limit, and remembers what it counted
 * until the store has it.
 *
 * When the store is back, it is given what was counted here, above a max if necessary, since the calls were made. Until
 * then other processes do not know of these calls. If this process dies before that, the store never learns of them.
 */
export class LocalCounting implements Counters {
  readonly inProcess = true;
  readonly #share: number;
  readonly #ids: ReservationIds;
  /**
   * INVARIANT: each decision is noted in its account without a pause in between. In a pause, the store could take over
   * a reservation that has just ended or been extended.
   */
  readonly #counting: Counting;
  readonly #reservations: OpenReservations;
  /** What the store does not know of yet, by org, in the order in which it is handed over. */
  readonly #accounts = new Map<string, LocalAccount>();
  #giving: Promise<void> | undefined;

  /**
   * @param share the share of each limit that may be used here, above 0 and at most 1
   * @param ids makes the ids of this process's reservations, which no other reservation of the store has
   */
  constructor(share: number, ids: ReservationIds) {
    this.#share = share;
    this.#ids = ids;
    this.#reservations = new OpenReservations(ids);
    this.#counting = new Counting(new ScopeCounts(), this.#reservations);
  }

  /**
   * The charges against this process's share of each limit that refuses. Shares are rounded up, so that no limit
   * becomes zero.
   */
  shared({ limits, amounts, periods }: Charges): Charges {
    const shares = limits.map((limit) =>
      limit.mode === "shadow" ? limit : { ...limit, max: Math.ceil(limit.max * this.#share) },
    );
    return { limits: shares, amounts, periods };
  }

  /**
   * Whether this process can say how a reservation stands. If another process made it, or the store took it over, only
   * the store can.
   */
  keeps(id: string): boolean {
    return this.#reservations.get(id) !== undefined || this.#reservations.fate(id) !== "unknown_reservation";
  }

  /** Whether there is something that the store does not know of. */
  get owes(): boolean {
    return this.#accounts.size > 0;
  }

  /** Whether there is something of an org that the store does not know of. */
  owesOf(orgId: string): boolean {
    return this.#accounts.has(orgId);
  }

  async reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    const outcome = this.#counting.reserve(request);
    if (outcome.outcome === "reserved" && !request.dryRun) {
      const { id, charges, expiresAt } = outcome;
      const account = this.#accountOf(request.orgId);
      const before = account.get(id);
      const idempotency = request.idempotency ?? before?.idempotency;
      const part = { at: this.#reservations.now, charges: request.charges };
      account.open(id, { expiresAt, charges, parts: [...(before?.parts ?? []), part], idempotency });
    }
    return outcome;
  }

  async settle(request: SettleRequest): Promise<SettleOutcome> {
    const outcome = this.#counting.settle(request);
    if (outcome.outcome === "settled") {
      const account = this.#accountOf(request.orgId);
      account.close(request.id, request.amounts, this.#reservations.now);
      this.#forgetPaid(account);
    }
    return outcome;
  }

  async read(query: ReadQuery): Promise<Reading[]> {
    return this.#counting.read(query);
  }

  async close(): Promise<void> {}

  /**
   * Gives the store what was counted here: closed reservations as sums for each org, open ones as reservations that the
   * store holds from then on.
   *
   * If the store fails for an org, the rest of that org is kept for the next time and the other orgs go on: in a
   * cluster, only some may be on a node that is down. A call while another is running waits for that one.
   *
   * @throws the first error of the store
   */
  giveBack(store: Store, now: number): Promise<void> {
    this.#giving ??= this.#give(store, now).finally(() => {
      this.#giving = undefined;
    });
    return this.#giving;
  }

  async #give(store: Store, now: number): Promise<void> {
    const failures: unknown[] = [];
    for (const some of chunks([...this.#accounts.values()], AT_A_TIME)) {
      const before = failures.length;
      await Promise.all(
        some.map((account) =>
          account.give(store, now).catch((error: unknown) => {
            failures.push(error);
            this.#putLast(account);
          }),
        ),
      );
      for (const account of some) this.#forgetPaid(account);
      // All of them failed, so the whole store is down. Every further org would only wait for a time-out.
      if (failures.length - before === some.length) break;
    }
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Ends a reservation here that the store has taken over. Its in-flight slots are freed, since they would otherwise
   * seem taken in the next outage. Everything else stays counted, since it was used here.
   */
  #endHere(orgId: string, id: string, { charges }: LocalReservation, now: number): void {
    const open = this.#reservations.get(id);
    const amounts = charges.map((charge) =>
      charge.limit.meter === "inFlight" ? { ...charge, amount: 0 } : charge,
    );
    this.#counting.settle({ id, orgId, now, amounts });
    // It ends at the store. If it is asked for here, this process knows nothing of it; see `keeps`.
    if (open) this.#reservations.close(id, open, "unknown_reservation");
  }

  #putLast(account: LocalAccount): void {
    this.#accounts.delete(account.orgId);
    this.#accounts.set(account.orgId, account);
  }

  #forgetPaid(account: LocalAccount): void {
    if (!account.owes) this.#accounts.delete(account.orgId);
  }

  /** The account of an org, until it owes nothing. */
  #accountOf(orgId: string): LocalAccount {
    const known = this.#accounts.get(orgId);
    if (known !== undefined) return known;
    const made = new LocalAccount(orgId, this.#ids, (id, held, now) => this.#endHere(orgId, id, held, now));
    this.#accounts.set(orgId, made);
    return made;
  }
}
