import { RecentIds } from "../../counters/recent-ids.js";
import { isMistake } from "./guarded-counters.js";

/**
 * Takes a few megabytes. Beyond it the oldest end is forgotten, and its call expires in the ledger with its estimate.
 */
const ENDS_MAX = 4_096;

/** Reports an end to the ledger. Returns a promise if the ledger has to make room first. */
type Tell = () => Promise<void> | undefined;

/**
 * Settles and releases that failed without an answer, as when a connection breaks. The counters may have done them. The
 * next try is then answered `already_settled`, and the end noted here is reported to the ledger. If another process
 * settled the call, the ledger is given two ends, and its sink keeps the first.
 */
export class LostSettles {
  readonly #ends = new Map<string, Tell>();
  readonly #told = new RecentIds<string, true>();

  /**
   * Notes a settle that failed, unless the error means that nothing was done, or the ledger knows an end of the call. Of
   * several tries the first is kept, since it may be the one that was done.
   */
  note(id: string, error: unknown, tell: Tell): void {
    if (isMistake(error) || this.#ends.has(id) || this.wasTold(id)) return;
    this.#ends.set(id, tell);
    const [oldest = id] = this.#ends.keys();
    if (this.#ends.size > ENDS_MAX) this.#ends.delete(oldest);
  }

  /** Reports the noted end, if there is one: one of its tries turned out to be done. */
  tell(id: string): ReturnType<Tell> {
    const tell = this.#ends.get(id);
    if (tell === undefined) return undefined;
    this.noteTold(id);
    return tell();
  }

  /** Whether an end was reported to the ledger already, so that no other may be. */
  wasTold(id: string): boolean {
    return this.#told.get(id) === true;
  }

  /** Forgets the noted end, since the ledger is told of one in another way. */
  noteTold(id: string): void {
    this.#ends.delete(id);
    this.#told.add(id, true);
  }
}
