import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/** A few megabytes. An end that falls out is missing in the ledger, where its call expires with its estimate. */
const ENDS_MAX = 4_096;

/**
 * Settles and releases that failed without an answer, as when a connection breaks. Counters may have made them; the next try
 * is then `already_settled`, and the ledger has to be told of the end all the same. Where another process has settled the
 * call meanwhile, there are two ends, and a sink keeps the one that it has first.
 */
export class LostSettles {
  readonly #ends = new Map<string, () => unknown>();
  readonly #told = new RecentIds<string, true>();

  /** Notes one that has failed, unless nothing was done for a mistake of the caller. Of several tries the first may be the one that was made. */
  note(id: string, error: unknown, tell: () => unknown): void {
    if (isMistake(error) || this.#ends.has(id)) return;
    this.#ends.set(id, tell);
    const [oldest = id] = this.#ends.keys();
    if (this.#ends.size > ENDS_MAX) this.#ends.delete(oldest);
  }

  /** Tells of an end that the counters have had since. */
  tell(id: string): void {
    const tell = this.#ends.get(id);
    if (tell === undefined) return;
    this.forget(id);
    this.#told.add(id, true);
    tell();
  }

  /** Whether {@link tell} has told of an end, which an answer that comes late must not do once more. */
  wasTold(id: string): boolean {
    return this.#told.get(id) === true;
  }

  /** For an end that was told of. */
  forget(id: string): void {
    this.#ends.delete(id);
  }
}
