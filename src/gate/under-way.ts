/**
 * Steps that counters may have taken and the ledger has not been told of yet, and calls that look something up. A gate that
 * closes waits for them, or what was answered to their callers would be missing in the ledger, and a storage would be closed
 * in the middle of a write.
 */
export class UnderWay {
  #steps = 0;
  #isOver = false;
  readonly #waiting = new Set<() => void>();

  start(): void {
    this.#steps++;
  }

  end(): void {
    this.#steps--;
    if (this.#steps > 0 || this.#waiting.size === 0) return;
    for (const done of this.#waiting) done();
  }

  /** Whether nobody waits any more: what was looked up until now is too late to be charged. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A step from its beginning to its end. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.start();
    try {
      return await step();
    } finally {
      this.end();
    }
  }

  /** Waits for something in the middle of a step, and does not count as under way for so long: the ledger has been told by then. */
  async aside<T>(wait: Promise<T>): Promise<T> {
    this.end();
    try {
      return await wait;
    } finally {
      this.start();
    }
  }

  /** Resolves once none is left, or after milliseconds. Then it {@link isOver}. */
  async none(withinMs: number): Promise<void> {
    if (this.#steps > 0) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, withinMs);
        this.#waiting.add(done);
      });
    }
    this.#isOver = true;
  }
}
