import type { Changed } from "../storage.js";
import type { ChangeLog } from "./change-log.js";

/** How often the log is looked at for the commits of others: a look is one search in an index. */
const LOOK_EVERY_MS = 100;

type Listener = (changed: readonly Changed[]) => void;

/** Tells listeners of what is new in the log: at once after a commit of this storage, soon after one of another. */
export class Watch {
  readonly #log: ChangeLog;
  readonly #listeners = new Set<Listener>();
  #last = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** @returns what stops it */
  add(listener: Listener): () => void {
    if (this.#timer === undefined) {
      this.#last = this.#log.last;
      this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
      this.#timer.unref();
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  /** Tells what is new. Where that cannot be read, as after the caller closed the connection, the next look makes up for it. */
  look(): void {
    if (this.#timer === undefined) return;
    let found: ReturnType<ChangeLog["since"]>;
    try {
      found = this.#log.since(this.#last);
    } catch {
      return;
    }
    this.#last = found.last;
    if (found.changed.length === 0) return;
    for (const listener of [...this.#listeners]) listener(found.changed);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }
}
