import type { Charges } from "../admission/charge.js";
import type { Part } from "../admission/count.js";
import type { NotOpen, ReserveRequest } from "./counters.js";
import { RecentIds } from "./recent-ids.js";
import type { FoundCounts } from "./scope-counts.js";

export type Idempotency = NonNullable<ReserveRequest["idempotency"]>;

/** One reservation from its reserve to its settle. */
export interface OpenReservation extends Part {
  readonly idempotency: Idempotency | undefined;
  /** The counts that were charged at first, in the order of the charges, if that was on the short way. */
  readonly found: FoundCounts | undefined;
  /** Everything charged so far, extensions included. */
  charges: Charges;
  /** The extensions, latest last; what is not in them was charged at `at`. */
  extensions: readonly { readonly part: Part; readonly charges: Charges }[] | undefined;
}

/** The reservations that are open, and what became of the latest that were. */
export class OpenReservations {
  readonly #open = new Map<string, OpenReservation>();
  readonly #idByKey = new Map<string, string>();
  readonly #closed = new RecentIds<NotOpen>();
  #now = Number.NEGATIVE_INFINITY;
  /** Before this moment no reservation has outlived its TTL. */
  #nextExpiry = Number.POSITIVE_INFINITY;

  /** How many are kept; one whose TTL has passed goes with the next call. */
  get size(): number {
    return this.#open.size;
  }

  /** The latest moment that was told. */
  get now(): number {
    return this.#now;
  }

  /** Moves the clock on, never back, and closes what has outlived its TTL. What it charged stays charged. */
  advance(now: number): number {
    if (now > this.#now) this.#now = now;
    if (this.#now >= this.#nextExpiry) this.#expire();
    return this.#now;
  }

  add(id: string, reservation: OpenReservation): void {
    const { expiresAt, idempotency } = reservation;
    this.#open.set(id, reservation);
    if (expiresAt < this.#nextExpiry) this.#nextExpiry = expiresAt;
    if (idempotency) this.#idByKey.set(idempotency.key, id);
  }

  /** The reservation, unless it is closed or has outlived its TTL. */
  get(id: string): OpenReservation | undefined {
    const open = this.#open.get(id);
    if (open === undefined || open.expiresAt > this.#now) return open;
    this.close(id, open, "expired");
    return undefined;
  }

  /** The id of the reservation that is open under an idempotency key. */
  idOf({ key }: Idempotency): string | undefined {
    return this.#idByKey.get(key);
  }

  /** What became of a reservation that is not open. */
  fate(id: string): NotOpen {
    return this.#closed.get(id) ?? "unknown_reservation";
  }

  close(id: string, { idempotency }: OpenReservation, how: NotOpen): void {
    this.#open.delete(id);
    if (idempotency) this.#idByKey.delete(idempotency.key);
    this.#closed.add(id, how);
  }

  // Not by looking at the first of the map on every call: behind many that were settled, finding it takes long.
  #expire(): void {
    this.#nextExpiry = Number.POSITIVE_INFINITY;
    for (const [id, open] of this.#open) {
      if (open.expiresAt > this.#now) {
        this.#nextExpiry = open.expiresAt;
        break; // in order of expiry where all have the same TTL; others wait their turn
      }
      this.close(id, open, "expired");
    }
  }
}
