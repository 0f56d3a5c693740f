import type { Changed } from "../storage.js";
import type { ChangeLog } from "./change-log.js";

/** How often the log is checked for commits of others, in milliseconds. A check is one search in an index. */
const LOOK_EVERY_MS = 100;

interface Watcher {
  readonly changed: (changed: readonly Changed[]) => void;
  readonly missed: (() => void) | undefined;
}

/** Tells watchers what is new in the log: at once after a commit of this storage, soon after one of another. */
export class Watch {
  readonly #log: ChangeLog;
  readonly #watchers = new Set<Watcher>();
  #last = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** @returns a function that stops watching */
  add(changed: Watcher["changed"], missed?: () => void): () => void {
    if (this.#timer === undefined) {
      this.#last = this.#log.last;
      this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
      this.#timer.unref();
    }
    const watcher = { changed, missed };
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.close();
    };
  }

  /**
   * Tells watchers what is new. If that cannot be read, as after the caller closed the connection, the next look
   * catches up.
   */
  look(): void {
    if (this.#timer === undefined) return;
    let found: ReturnType<ChangeLog["since"]>;
    try {
      found = this.#log.since(this.#last);
    } catch {
      return;
    }
    this.#last = found.last;
    for (const { changed, missed } of [...this.#watchers]) {
      if (!found.isWhole) missed?.();
      if (found.changed.length > 0) changed(found.changed);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watchers.clear();
  }
}
