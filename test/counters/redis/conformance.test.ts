import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { redisCounters } from "../../../src/redis.js";
import { ioredisClient, nodeRedisClient, ownPrefix, redisAnswers, removeKeys } from "./server.js";

describe.skipIf(!(await redisAnswers()))("counters in Redis", async () => {
  const prefix = ownPrefix();
  const ioredis = ioredisClient();
  const nodeRedis = await nodeRedisClient();
  afterAll(async () => {
    await removeKeys(ioredis, prefix);
    ioredis.disconnect();
    nodeRedis.destroy();
  });
  let made = 0;
  const clients = { ioredis, "node-redis": nodeRedis };
  describe.each(Object.entries(clients))("through %s", (_, client) => {
    describe.each(["caller", "server"] as const)("on the clock of the %s", (clock) => {
      const make = () => redisCounters({ client, prefix: `${prefix}${made++}:`, clock });
      for (const { name, run } of countersConformance(make, { clock })) it(name, run);
    });
  });
});
