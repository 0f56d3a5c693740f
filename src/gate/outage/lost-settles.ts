import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/** Takes a few megabytes. Where there are more, the oldest end is forgotten: in the ledger its call then expires with its estimate. */
const ENDS_MAX = 4_096;

/**
 * Settles and releases that failed without an answer, as when a connection breaks. The counters may have done them. The next
 * try is then answered `already_settled`, and that is when the ledger is told of the end noted here. If it was another process
 * that settled the call, the ledger is told of two ends, and its sink keeps the first.
 */
export class LostSettles {
  readonly #ends = new Map<string, () => unknown>();
  readonly #told = new RecentIds<string, true>();

  /**
   * Notes a settle that failed, unless the error says that nothing was done. Of several tries the first is kept: it may be the
   * one that was done.
   *
   * @param tell tells the ledger of the end
   */
  note(id: string, error: unknown, tell: () => unknown): void {
    if (isMistake(error) || this.#ends.has(id)) return;
    this.#ends.set(id, tell);
    const [oldest = id] = this.#ends.keys();
    if (this.#ends.size > ENDS_MAX) this.#ends.delete(oldest);
  }

  /** Tells the ledger of the end that was noted: a try of it has turned out to be done. */
  tell(id: string): void {
    const tell = this.#ends.get(id);
    if (tell === undefined) return;
    this.forget(id);
    this.#told.add(id, true);
    tell();
  }

  /** Whether {@link tell} has told the ledger of an end already. An answer that comes late must not do so again. */
  wasTold(id: string): boolean {
    return this.#told.get(id) === true;
  }

  /** Forgets the end that was noted: the ledger has been told of it otherwise. */
  forget(id: string): void {
    this.#ends.delete(id);
  }
}
