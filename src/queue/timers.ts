import { MS_MAX } from "../model/milliseconds.js";

/** Tells the time and calls back later. Except for bottleneck's turns, a queue waits by nothing else. */
export interface Timers {
  /** Milliseconds since any fixed moment. They never run backwards. */
  now(): number;
  /** Calls `run` after some milliseconds by {@link now}, and not before. The returned function cancels that. */
  after(ms: number, run: () => void): () => void;
}

/** The timers of this machine, on the clock that nobody can set back. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const at = performance.now() + ms;
    // Those of Node count whole milliseconds, and so come up to one too early.
    const look = () => {
      const leftMs = at - performance.now();
      if (leftMs > 0) timer = setTimeout(look, Math.min(Math.ceil(leftMs), MS_MAX));
      else run();
    };
    let timer = setTimeout(look, Math.min(Math.ceil(ms), MS_MAX));
    return () => clearTimeout(timer);
  },
};
