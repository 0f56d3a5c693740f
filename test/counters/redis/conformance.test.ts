import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { redisCounters } from "../../../src/redis.js";
import { inTurn } from "../in-turn.js";
import { describeWithRedis, ioredisClient, nodeRedisClient, ownPrefix, removeKeys } from "./server.js";

/** Random traces take a second each here, so each way to the server has others. */
const SEEDS = { ioredis: [1, 2, 3], "node-redis": [6, 7, 8], inTurn: [11, 12, 13] };

await describeWithRedis("counters in Redis", async () => {
  const prefix = ownPrefix();
  const ioredis = ioredisClient();
  const nodeRedis = await nodeRedisClient();
  afterAll(async () => {
    await removeKeys(ioredis, prefix);
    ioredis.disconnect();
    nodeRedis.destroy();
  });
  let made = 0;
  const clients = [
    ["ioredis", ioredis],
    ["node-redis", nodeRedis],
  ] as const;
  describe.each(clients)("through %s", (name, client) => {
    const seeds = SEEDS[name];
    describe.each(["caller", "server"] as const)("on the clock of the %s", (clock) => {
      const make = () => redisCounters({ client, prefix: `${prefix}${made++}:`, clock });
      for (const { name, run } of countersConformance(make, { clock, seeds })) it(name, run);
    });
  });

  describe("through both in turn, as three processes that know of each other's clocks by the store alone", () => {
    const make = () => {
      const options = { prefix: `${prefix}${made++}:`, clock: "caller" } as const;
      const processes = [ioredis, nodeRedis, ioredis].map((client) => redisCounters({ ...options, client }));
      return inTurn(processes);
    };
    for (const { name, run } of countersConformance(make, { seeds: SEEDS.inTurn })) it(name, run);
  });
});
