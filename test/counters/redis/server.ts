import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, describe, it } from "vitest";
import type { Counters } from "../../../src/counters/counters.js";
import { type RedisClient, redisCounters } from "../../../src/redis.js";
import { REDIS_URL, serviceAnswers } from "../../services.js";

/** Whether a Redis can be used; asked once for each suite. */
export function redisAnswers(): Promise<boolean> {
  return serviceAnswers("Redis", async () => {
    const client = new Redis(REDIS_URL, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => {}); // told by connect as well
    try {
      await client.connect();
      await client.ping();
    } finally {
      client.disconnect();
    }
  });
}

/**
 * A suite that needs a Redis. Without one it is skipped, and its body is not run. `describe.skip` would run the body to
 * list its tests, and a client of node-redis that it makes would try to connect for ever.
 */
export async function describeWithRedis(name: string, body: () => void | Promise<void>): Promise<void> {
  if (await redisAnswers()) describe(name, body);
  else describe.skip(name, () => it("needs a server", () => {}));
}

/** A prefix of keys that no other run has. */
export function ownPrefix(): string {
  return `tollgate-test-${randomBytes(6).toString("hex")}:`;
}

/** Counters over keys that no other run has, unless a prefix is given. */
export function countersOver(client: RedisClient, prefix = ownPrefix()): Counters {
  return redisCounters({ client, prefix });
}

export function ioredisClient(url = REDIS_URL): Redis {
  return new Redis(url);
}

export async function nodeRedisClient(url = REDIS_URL) {
  const client = createClient({ url });
  client.on("error", () => {}); // told by the commands as well
  await client.connect();
  return client;
}

export async function keysOf(client: Redis, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of client.scanStream({ match: `${prefix}*`, count: 1_000 })) keys.push(...page);
  return keys;
}

export async function removeKeys(client: Redis, prefix: string): Promise<void> {
  const keys = await keysOf(client, prefix);
  if (keys.length > 0) await client.unlink(...keys);
}

/** Makes counters on the caller's clock, each with keys of their own, which go with the suite; nothing where no server answers. */
export async function makeRedisCounters(): Promise<(() => Counters) | undefined> {
  if (!(await redisAnswers())) return undefined;
  const client = ioredisClient();
  const prefix = ownPrefix();
  let made = 0;
  afterAll(async () => {
    await removeKeys(client, prefix);
    client.disconnect();
  });
  return () => redisCounters({ client, prefix: `${prefix}${made++}:`, clock: "caller" });
}
