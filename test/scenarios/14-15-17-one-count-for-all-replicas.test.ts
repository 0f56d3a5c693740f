import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";
import { type SharedCounters, sharedCounters } from "./shared-stores.js";

const everyStore = await sharedCounters();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10 };
const MINUTE_MS = 60_000;

describe.each(everyStore)("replicas that share a store, %s", (name, make) => {
  let store: SharedCounters;
  beforeEach(async () => {
    store = await make();
  });
  afterEach(() => store.remove());

  /** A replica with a connection, a cache and a clock of its own. */
  function replica(rpm: number, clockAheadMs = 0) {
    const chain = limited({ project: { rpm, budget: { usd: 5, reset: "never" } } });
    const made = world(chain, { counters: store.connect() });
    made.clock.at = Date.now() + clockAheadMs;
    return made;
  }

  it("14: count together: what one has admitted, the other does not admit again (bifrost#3547)", async () => {
    const gates = [replica(5).gate, replica(5).gate];
    const calls = Array.from({ length: 20 }, (_, i) => gates[i % 2]?.admit(KEY, CALL));
    const admissions = await Promise.all(calls);
    expect(admissions.filter((admission) => admission?.admitted)).toHaveLength(5);
    for (const gate of gates) expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: 5 });
  });

  it("15: a count that the store has lost begins anew, and no replica puts back what it remembers (litellm#34238)", async () => {
    const gates = [replica(100).gate, replica(100).gate];
    for (const gate of gates) {
      for (let i = 0; i < 3; i++)
        settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, {}));
    }
    expect(await store.lose()).toBeGreaterThan(0);
    for (const [i, gate] of gates.entries()) {
      passed(await gate.admit(KEY, CALL));
      expect(await readingOf(gate, "requests", "project")).toMatchObject({ used: i + 1 });
    }
  });

  // SQLite has no clock of its own: the processes that share a file are on one machine, and so is their clock.
  it.skipIf(name.startsWith("SQLite"))(
    "17: windows go by the store's clock, however far apart the replicas' own clocks are",
    async () => {
      const gates = [-10 * MINUTE_MS, 0, 10 * MINUTE_MS].map((ahead) => replica(3, ahead).gate);
      for (const gate of gates) passed(await gate.admit(KEY, CALL));
      for (const gate of gates) {
        const refusal = refusedBy(await gate.admit(KEY, CALL));
        expect(refusal).toMatchObject({ reason: "rate_limited", limit: { used: 3, max: 3 } });
        expect(refusal.retryAfterMs).toBeGreaterThan(0);
        expect(refusal.retryAfterMs).toBeLessThanOrEqual(MINUTE_MS + 1_000);
      }
    },
  );
});
