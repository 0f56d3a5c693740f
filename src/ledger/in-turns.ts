import { setImmediate } from "node:timers/promises";

/** How many items are worked on in one turn of the event loop: some milliseconds' worth. */
const ITEMS_IN_A_TURN = 1_000;

/**
 * Does something with each item, and lets calls pass in between. A report may have a row for each of 100,000 keys,
 * and all calls of the process would wait for it.
 */
export async function inTurns<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let done = 0;
  for (const item of items) {
    work(item);
    done++;
    if (done % ITEMS_IN_A_TURN === 0) await setImmediate();
  }
}
