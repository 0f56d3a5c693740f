import { type Counters, memoryCounters } from "tollgate";
import { countersConformance, traceCounters } from "tollgate/testing";
import { describe, expect, it } from "vitest";
import { counterAdapters } from "../scenarios/adapters.js";

const everyCounters = await counterAdapters();

/** Those of the servers have files of their own. */
const suited = everyCounters.filter(([name]) => name !== "Postgres" && name !== "Redis");

describe.each(suited)("counters on the caller's clock: %s", (_, make) => {
  for (const { name, run } of countersConformance(make)) it(name, run);
});

/** Counters with a clock of their own, as those of a server are. */
function memoryOnItsOwnClock(): Counters {
  const counters = memoryCounters();
  return {
    reserve: (request) => counters.reserve({ ...request, now: Date.now() }),
    settle: (request) => counters.settle({ ...request, now: Date.now() }),
    read: (query) => counters.read({ ...query, now: Date.now() }),
    close: () => counters.close(),
  };
}

describe("counters on a clock of their own: memory", () => {
  for (const { name, run } of countersConformance(memoryOnItsOwnClock, { clock: "server" })) it(name, run);
});

it("more random traces are answered by memory as by the exact model", async () => {
  for (let seed = 1_000; seed < 1_030; seed++) await traceCounters(memoryCounters(), { seed });
});

it("no two cases of the suite have the same name", () => {
  const names = countersConformance(memoryCounters).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
