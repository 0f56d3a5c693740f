import { MS_MAX } from "../model/milliseconds.js";

/** Tells the time and calls back after some of it. The queue waits by nothing else, but for the turns of bottleneck. */
export interface Timers {
  /** Milliseconds from any beginning that never run backwards. */
  now(): number;
  /** Calls `run` after milliseconds; the returned function takes it back. */
  after(ms: number, run: () => void): () => void;
}

/** The time of this machine, by the clock that nobody sets back. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.ceil(ms), MS_MAX));
    return () => clearTimeout(timer);
  },
};
