import { createLedger, memoryLedgerSink } from "tollgate";
import { redisCounters } from "tollgate/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OwnServer, serversCanBeStarted } from "../counters/redis/own-server.js";
import { ioredisClient } from "../counters/redis/server.js";
import { aChain, world } from "../gate/world.js";
import { passed, readingOf, refusedBy } from "../scenarios/answers.js";

const CHAIN = aChain({
  org: { limits: { budget: { usd: 100, reset: "never" } } },
  key: { limits: { budget: { usd: 1, reset: "monthly" } } },
});
const KEY = { keyId: "k1" };
const call = (costUsd: number) => ({ model: "gpt-4o", costUsd });

describe.skipIf(!(await serversCanBeStarted()))("a Redis that was emptied", () => {
  let server: OwnServer;
  let client: ReturnType<typeof ioredisClient>;
  beforeAll(async () => {
    server = await OwnServer.start("--save", "");
    client = ioredisClient(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  it("is given back what was spent, while calls are under way, and refuses again what is above the budget", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ sink });
    const counters = redisCounters({ client });
    const { gate } = world(CHAIN, { clock: Date, counters, countersTimeoutMs: 30_000, ledger });
    const spend = async (costUsd: number) =>
      gate.settle(passed(await gate.admit(KEY, call(costUsd))).reservation, { costUsd });
    await spend(0.5);
    await spend(0.3);
    const before = passed(await gate.admit(KEY, call(0.1))).reservation;
    await ledger.flush();

    await client.flushall();
    const { reservation } = passed(await gate.admit(KEY, call(0.15))); // nothing is known of the 0.8 USD
    const found = await gate.reconcile({ orgId: "o1", rebuild: true });
    expect(found.differences.map(({ limit, rebuiltNanoUsd }) => [limit.scope, rebuiltNanoUsd])).toEqual([
      ["org", 0.8e9],
      ["key", 0.8e9],
    ]);
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.95);
    refusedBy(await gate.admit(KEY, call(0.1)));
    await gate.settle(reservation, { costUsd: 0.05 });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.85);
    expect((await readingOf(gate, "cost", "org")).usd?.used).toBe(0.85);
    // The call that was under way when Redis was emptied is unknown to it.
    expect(await gate.settle(before, { costUsd: 0.1 })).toEqual({
      settled: false,
      reason: "unknown_reservation",
    });
    const again = await gate.reconcile({ orgId: "o1", rebuild: true });
    expect(again.differences.map(({ rebuiltNanoUsd }) => rebuiltNanoUsd)).toEqual([0, 0]);
    expect(again.unended.map(({ id }) => id)).toEqual([before.id]);
    await gate.close();
  });
});
