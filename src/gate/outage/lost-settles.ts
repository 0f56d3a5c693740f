import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/**
 * Takes a few megabytes. Beyond it the oldest end is forgotten, and its call expires in the ledger with its estimate.
 */
const ENDS_MAX = 4_096;

/**
 * Settles and releases that failed without an answer, as when a connection breaks. The counters may have done them. The
 * next try is then answered `already_settled`, and the end noted here is reported to the ledger. If another process
 * settled the call, the ledger is given two ends, and its sink keeps the first.
 */
export class LostSettles {
  readonly #ends = new Map<string, () => unknown>();
  readonly #told = new RecentIds<string, true>();

  /**
   * Notes a settle that failed, unless the error means that nothing was done. Of several tries the first is kept, since
   * it may be the one that was done.
   *
   * @param tell reports the end to the ledger
   */
  note(id: string, error: unknown, tell: () => unknown): void {
    if (isMistake(error) || this.#ends.has(id)) return;
    this.#ends.set(id, tell);
    const [oldest = id] = this.#ends.keys();
    if (this.#ends.size > ENDS_MAX) this.#ends.delete(oldest);
  }

  /** Reports the noted end to the ledger: one of its tries turned out to be done. */
  tell(id: string): void {
    const tell = this.#ends.get(id);
    if (tell === undefined) return;
    this.forget(id);
    this.#told.add(id, true);
    tell();
  }

  /** Whether {@link tell} has reported an end to the ledger already. A late answer must not do so again. */
  wasTold(id: string): boolean {
    return this.#told.get(id) === true;
  }

  /** Forgets the noted end, since the ledger was told of it in another way. */
  forget(id: string): void {
    this.#ends.delete(id);
  }
}
