import { MS_MAX } from "../model/milliseconds.js";

/** Tells the time and calls back later. Except for bottleneck's turns, a queue waits by nothing else. */
export interface Timers {
  /** Milliseconds since any fixed moment. They never run backwards. */
  now(): number;
  /** Calls `run` after some milliseconds. The returned function cancels that. */
  after(ms: number, run: () => void): () => void;
}

/** The timers of this machine, on the clock that nobody can set back. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.ceil(ms), MS_MAX));
    return () => clearTimeout(timer);
  },
};
