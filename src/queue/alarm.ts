import type { Timers } from "./timers.js";

/** Earlier than any moment of a clock. */
export const NOW = Number.NEGATIVE_INFINITY;

/** Rings at the earliest of the moments that it was set to, once for all of them. */
export class Alarm {
  readonly #timers: Timers;
  readonly #ring: () => void;
  #at = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;

  constructor(timers: Timers, ring: () => void) {
    this.#timers = timers;
    this.#ring = ring;
  }

  /**
   * Rings at a moment or earlier. Never within this call, so that everything set in one turn of the process rings once.
   */
  by(at: number): void {
    if (at >= this.#at) return;
    this.stop();
    const ms = at - this.#timers.now();
    this.#at = ms > 0 ? at : NOW;
    const ring = () => {
      if (this.#at === Number.POSITIVE_INFINITY) return; // Stopped.
      this.stop();
      this.#ring();
    };
    if (ms > 0) this.#stopTimer = this.#timers.after(ms, ring);
    else queueMicrotask(ring);
  }

  /** Cancels the alarm until it is set again. */
  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
