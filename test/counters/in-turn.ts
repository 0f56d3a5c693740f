import type { Counters } from "../../src/counters/counters.js";

/** Counters of several processes over one store that are asked in turn: what one knows, the next has to find there. */
export function inTurn(processes: readonly Counters[]): Counters {
  let calls = 0;
  function next(): Counters {
    const process = processes[calls++ % processes.length];
    if (process === undefined) throw new Error("at least one process");
    return process;
  }
  return {
    reserve: (request) => next().reserve(request),
    settle: (request) => next().settle(request),
    read: (query) => next().read(query),
    async close() {
      for (const process of processes) await process.close();
    },
  };
}
