/**
 * Counts the steps that closing a gate waits for: those that have asked the counters and not yet reported to the
 * ledger, and those that read or write the storage. Without that wait, calls that were answered would be missing from
 * the ledger, and a storage would be closed in the middle of a write.
 */
export class UnderWay {
  #steps = 0;
  #isOver = false;
  /** Called when no step is under way, once somebody waits for that. */
  #onNone: (() => void) | undefined;

  start(): void {
    this.#steps++;
  }

  end(): void {
    this.#steps--;
    if (this.#steps === 0) this.#onNone?.();
  }

  /**
   * Whether the wait is over. A call that was still looking up its key must not charge anything any more, since the
   * counters are being closed.
   */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Counts a step from its beginning to its end. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.start();
    try {
      return await step();
    } finally {
      this.end();
    }
  }

  /**
   * Waits for something in the middle of a step without holding up a gate that closes: for room in the ledger, to which
   * the call was already reported.
   */
  async aside<T>(wait: Promise<T>): Promise<T> {
    this.end();
    try {
      return await wait;
    } finally {
      this.start();
    }
  }

  /**
   * Resolves once no step is under way, or after `withinMs`. From then on {@link isOver} is true. Called once, when the
   * gate closes.
   */
  async none(withinMs: number): Promise<void> {
    if (this.#steps > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#onNone = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isOver = true;
  }
}
