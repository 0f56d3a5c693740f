import Bottleneck from "bottleneck/light.js";

/** How many priorities there are, from 0, which goes first, to 9. */
export const PRIORITIES = 10;

/**
 * Gives out turns one at a time: to the best priority of those that were asked for, in the order in which they were
 * asked for. Bottleneck (2.19.5) does this, and is named in no other file. Its known defects are kept out, each with a
 * test:
 *
 * - It reads the machine's clock. If that is set back, the next job waits for as long as it was set back, unless there
 *   is no time between jobs: `minTime`, which is infinitely small here.
 * - It cannot take back a queued job, so what waits for a turn is not a call but a class of calls (`Line`).
 * - It replaces a priority that it does not know. Only whole numbers from 0 to 9 are used here.
 */
export class Turns {
  readonly #limiter = new Bottleneck({ maxConcurrent: 1, minTime: Number.NEGATIVE_INFINITY });

  /** Asks for a turn, which ends when the promise of `take` does. It never begins within this call. */
  ask(priority: number, take: () => Promise<void>): Promise<void> {
    return this.#limiter.schedule({ priority }, take);
  }
}
