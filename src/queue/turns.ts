import Bottleneck from "bottleneck/light.js";

/** How many priorities there are, from 0, the first, to 9. */
export const PRIORITIES = 10;

/**
 * Gives out turns, one at a time: of those that were asked for, the one with the best priority, in the order in which they
 * were asked for. Bottleneck (2.19.5) does it, and it is named in no other file. What it is known for is kept out, each with a test:
 *
 * - It reads the clock of the machine, and where that is set back, the next job waits for as long as it was set back,
 *   unless there is no time between jobs: `minTime`, which is infinitely little here.
 * - It cannot take a queued job back, so what waits for a turn is not a call but a class of calls (`Line`).
 * - It changes a priority that it does not know into another one; only whole numbers from 0 to 9 come here.
 */
export class Turns {
  readonly #limiter = new Bottleneck({ maxConcurrent: 1, minTime: Number.NEGATIVE_INFINITY });

  /** Asks for a turn; it ends when the promise of `take` does. Never within this call. */
  ask(priority: number, take: () => Promise<void>): Promise<void> {
    return this.#limiter.schedule({ priority }, take);
  }
}
