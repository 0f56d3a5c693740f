import type { Connection } from "../../sqlite/connection.js";
import { Counting } from "../counting.js";
import { ReservationRows } from "./reservation-rows.js";
import { ScopeRows } from "./scope-rows.js";

/**
 * Runs calls of counters within transactions.
 *
 * INVARIANT: what a decision rests on is read in the transaction that writes its outcome. Nothing that another process
 * could have changed is kept from one transaction to the next; the clock is a lower bound, which only moves forward.
 */
export class Transactions {
  readonly #connection: Connection;
  readonly #scopes: ScopeRows;
  readonly #reservations: ReservationRows;
  readonly #counting: Counting;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#scopes = new ScopeRows(connection);
    this.#reservations = new ReservationRows(connection);
    this.#counting = new Counting(this.#scopes, this.#reservations);
  }

  /**
   * Gives `work` the decisions of counters over what is stored now. When this returns, what they changed is on disk;
   * when it throws, nothing is changed.
   *
   * @param writes whether `work` may change anything
   */
  run<T>(writes: boolean, work: (counting: Counting) => T): T {
    return this.#connection.transaction(writes ? "IMMEDIATE" : "DEFERRED", () => {
      const row = this.#connection.first("SELECT now FROM tollgate_clock");
      const stored = typeof row?.now === "number" ? row.now : Number.NEGATIVE_INFINITY;
      this.#scopes.begin();
      this.#reservations.begin(stored);
      const result = work(this.#counting);
      const { now } = this.#reservations;
      // The clock is stored only along with a change, so a refusal costs no write.
      const changed = this.#scopes.flush() || this.#reservations.written;
      if (changed && now > stored) this.#setClock(now);
      return result;
    });
  }

  #setClock(now: number): void {
    this.#connection.run("INSERT OR REPLACE INTO tollgate_clock (id, now) VALUES (1, ?)", now);
  }
}
