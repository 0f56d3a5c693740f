import type { Charges } from "../admission/charge.js";
import type { Part } from "../admission/count-kind.js";
import { ByNumber } from "./by-number.js";
import type { NotOpen, ReserveRequest } from "./counters.js";
import { RecentIds } from "./recent-ids.js";
import type { ReservationIds } from "./reservation-ids.js";

export type Idempotency = NonNullable<ReserveRequest["idempotency"]>;

/** One reservation from its reserve to its settle. */
export interface OpenReservation extends Part {
  readonly idempotency: Idempotency | undefined;
  /** Everything charged so far, extensions included. */
  charges: Charges;
  /** The latest last. Whatever is not in them was charged at `at`. */
  extensions: readonly ReservationExtension[] | undefined;
}

/** What one extension added. */
export interface ReservationExtension {
  readonly part: Part;
  /**
   * One amount for each limit of the reservation's `charges` at that time. Limits added by a later extension follow
   * these.
   */
  readonly amounts: readonly number[];
}

/** A reservation whose id was made by `ReservationIds.take`. It is kept by the number of its id. */
export interface NumberedReservation extends OpenReservation {
  readonly id: string;
  readonly number: number;
}

/** The open reservations, and how the latest others were closed. */
export class OpenReservations {
  readonly #ids: ReservationIds;
  readonly #byId = new Map<string, OpenReservation>();
  readonly #byNumber = new ByNumber<NumberedReservation>();
  readonly #idByKey = new Map<string, string>();
  /**
   * How reservations were closed. Of those kept by number it holds only the expired ones: any other that is not open
   * was settled.
   */
  readonly #closed = new RecentIds<string | number, NotOpen>();
  #now = Number.NEGATIVE_INFINITY;
  /** Before this moment no reservation has outlived its TTL. */
  #nextExpiry = Number.POSITIVE_INFINITY;
  /** No reservation below this number is open. */
  #firstNumber = 1;
  /** The {@link ReservationIds.orderOf} of the latest id made here that was added by its text. */
  #latestText = 0;

  /** @param ids makes the ids of reservations that are kept by number */
  constructor(ids: ReservationIds) {
    this.#ids = ids;
  }

  /** How many are open. One whose TTL has passed goes with the next call. */
  get size(): number {
    return this.#byId.size + this.#byNumber.size;
  }

  /** The latest moment that was given. */
  get now(): number {
    return this.#now;
  }

  /** Moves the clock forward, never back, and closes what has outlived its TTL. What it charged stays charged. */
  advance(now: number): number {
    if (now > this.#now) this.#now = now;
    if (this.#now >= this.#nextExpiry) this.#expire();
    return this.#now;
  }

  /** Adds a reservation. Does nothing if it is there already. */
  add(id: string, reservation: OpenReservation): void {
    if (this.#numbered(id) === reservation) return;
    const { idempotency, expiresAt } = reservation;
    this.#byId.set(id, reservation);
    const order = this.#ids.orderOf(id);
    if (order > this.#latestText) this.#latestText = order;
    if (expiresAt < this.#nextExpiry) this.#nextExpiry = expiresAt;
    if (idempotency) this.#idByKey.set(idempotency.key, id);
  }

  addNumbered(reservation: NumberedReservation): void {
    this.#byNumber.add(reservation);
    if (reservation.idempotency) this.#idByKey.set(reservation.idempotency.key, reservation.id);
    if (reservation.expiresAt < this.#nextExpiry) this.#nextExpiry = reservation.expiresAt;
  }

  /** The reservation, unless it is closed or has outlived its TTL. */
  get(id: string): OpenReservation | undefined {
    const open = this.#numbered(id) ?? this.#byId.get(id);
    if (open === undefined || open.expiresAt > this.#now) return open;
    this.close(id, open, "expired");
    return undefined;
  }

  /** Whether this very reservation, which other counters may have made, is open here. */
  holds(reservation: NumberedReservation): boolean {
    return this.#byNumber.get(reservation.number) === reservation && reservation.expiresAt > this.#now;
  }

  /** The id of the reservation that is open under an idempotency key. */
  idOf(key: string): string | undefined {
    return this.#idByKey.get(key);
  }

  /** Why a reservation is not open. */
  fate(id: string): NotOpen {
    // Nearly every reserve asks this first: its own id is later than all that were added, so nothing is known of it.
    if (this.#ids.orderOf(id) > this.#latestText) return "unknown_reservation";
    const number = this.#ids.numberOf(id);
    if (number !== undefined) return this.#closed.get(number) ?? "already_settled";
    return this.#closed.get(id) ?? "unknown_reservation";
  }

  close(id: string, open: OpenReservation, how: NotOpen): void {
    const numbered = this.#numbered(id);
    if (numbered === open) {
      this.closeNumbered(numbered, how);
      return;
    }
    this.#byId.delete(id);
    if (open.idempotency) this.#idByKey.delete(open.idempotency.key);
    this.#closed.add(id, how);
  }

  closeNumbered({ number, idempotency }: NumberedReservation, how: NotOpen): void {
    this.#byNumber.delete(number);
    if (idempotency) this.#idByKey.delete(idempotency.key);
    if (how === "expired") this.#closed.add(number, how);
  }

  #numbered(id: string): NumberedReservation | undefined {
    const number = this.#ids.numberOf(id);
    return number === undefined ? undefined : this.#byNumber.get(number);
  }

  // Both are in the order of expiry if all have the same TTL; one with a shorter TTL is closed when its turn comes.
  // This is not done on every call, since finding the first entry of a Map takes long after many before it were
  // deleted.
  #expire(): void {
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const [id, open] of this.#byId) {
      if (open.expiresAt > this.#now) {
        this.#nextExpiry = open.expiresAt;
        break;
      }
      this.close(id, open, "expired");
    }
    const { last } = this.#ids;
    for (;;) {
      const open = this.#byNumber.first(this.#firstNumber, last);
      this.#firstNumber = open?.number ?? last + 1;
      if (open === undefined) break;
      if (open.expiresAt > this.#now) {
        this.#nextExpiry = Math.min(this.#nextExpiry, open.expiresAt);
        break;
      }
      this.closeNumbered(open, "expired");
    }
  }
}
