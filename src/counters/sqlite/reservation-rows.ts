import type { Charges } from "../../admission/charge.js";
import type { Connection } from "../../sqlite/connection.js";
import { storedText, textIn } from "../../sqlite/text.js";
import type { NotOpen } from "../counters.js";
import type { KeptReservations } from "../counting.js";
import type { OpenReservation } from "../open-reservations.js";

/** The most reservations past their TTL that one transaction closes. The rest is left to the next ones. */
const EXPIRED_AT_ONCE = 100;

/** How many closed reservations are remembered. An older one is `unknown_reservation`. */
const CLOSED_KEPT = 100_000;

/** The open reservations, and how the latest others were closed. Every change is written at once. */
export class ReservationRows implements KeptReservations {
  readonly #connection: Connection;
  #now = Number.NEGATIVE_INFINITY;
  #expired = false;
  #written = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Called at the beginning of a transaction.
   *
   * @param now the stored clock, which this one must not be behind
   */
  begin(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#expired = false;
    this.#written = false;
  }

  /** Whether anything was written since the transaction began. */
  get written(): boolean {
    return this.#written;
  }

  /** The latest moment that was given. */
  get now(): number {
    return this.#now;
  }

  advance(now: number): number {
    if (now > this.#now) this.#now = now;
    if (!this.#expired) this.#expire();
    return this.#now;
  }

  add(id: string, reservation: OpenReservation): void {
    this.#write(
      "INSERT OR REPLACE INTO tollgate_reservation (id, expires_at, idempotency_key, reservation) VALUES (?, ?, ?, ?)",
      storedText(id),
      reservation.expiresAt,
      reservation.idempotency === undefined ? null : storedText(reservation.idempotency.key),
      JSON.stringify(reservation),
    );
  }

  get(id: string): OpenReservation | undefined {
    const row = this.#connection.first(
      "SELECT reservation FROM tollgate_reservation WHERE id = ?",
      storedText(id),
    );
    if (row === undefined) return undefined;
    const open = reservationIn(String(row.reservation));
    if (open.expiresAt > this.#now) return open;
    this.close(id, open, "expired");
    return undefined;
  }

  idOf(key: string): string | undefined {
    const row = this.#connection.first(
      "SELECT id FROM tollgate_reservation WHERE idempotency_key = ?",
      storedText(key),
    );
    return row && textIn(row.id);
  }

  fate(id: string): NotOpen {
    const row = this.#connection.first(
      "SELECT how FROM tollgate_closed_reservation WHERE id = ?",
      storedText(id),
    );
    return row === undefined ? "unknown_reservation" : (row.how as NotOpen); // sound: nothing else is written
  }

  close(id: string, _: OpenReservation, how: NotOpen): void {
    this.#close(storedText(id), how);
  }

  /**
   * Closes, once in a transaction, reservations that nobody has asked about since they expired. {@link get} closes the
   * others.
   */
  #expire(): void {
    this.#expired = true;
    const rows = this.#connection.all(
      "SELECT id FROM tollgate_reservation WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
      this.#now,
      EXPIRED_AT_ONCE,
    );
    for (const { id } of rows) this.#close(String(id), "expired");
  }

  #close(stored: string, how: NotOpen): void {
    this.#write("DELETE FROM tollgate_reservation WHERE id = ?", stored);
    this.#write("INSERT OR REPLACE INTO tollgate_closed_reservation (id, how) VALUES (?, ?)", stored, how);
    this.#write(
      `DELETE FROM tollgate_closed_reservation
       WHERE sequence <= (SELECT max(sequence) FROM tollgate_closed_reservation) - ${CLOSED_KEPT}`,
    );
  }

  #write(sql: string, ...values: (string | number | null)[]): void {
    this.#written = true;
    this.#connection.run(sql, ...values);
  }
}

/** A reservation as it was written, with what JSON cannot express put back. */
function reservationIn(text: string): OpenReservation {
  const { charges, ...rest } = JSON.parse(text);
  return { ...rest, charges: chargesIn(charges) };
}

/** JSON has `null` for a missing period. */
function chargesIn({ limits, amounts, periods }: Charges): Charges {
  return { limits, amounts, periods: periods.map((period) => period ?? undefined) };
}
