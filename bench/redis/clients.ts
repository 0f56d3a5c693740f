import { Redis } from "ioredis";
import { createClient } from "redis";
import type { RedisClient } from "tollgate/redis";
import { type FlexibleLimiter, flexible } from "../peers.js";

/** A client library of Redis. */
export type Library = "ioredis" | "node-redis";

/** As much of a client as the contenders need, whichever library it is of. With the defaults of the library. */
export interface BenchClient {
  readonly client: RedisClient;
  incr(key: string): Promise<unknown>;
  load(script: string): Promise<string>;
  evalsha(sha1: string, keys: string[], args?: string[]): Promise<unknown>;
  limiter(options: { points: number; duration: number; keyPrefix: string }): Promise<FlexibleLimiter>;
}

export async function clientOf(library: Library, url: string): Promise<BenchClient> {
  const { RateLimiterRedis } = await flexible();
  if (library === "ioredis") {
    const client = new Redis(url);
    return {
      client,
      incr: (key) => client.incr(key),
      load: async (script) => String(await client.script("LOAD", script)),
      evalsha: (sha1, keys, args = []) => client.evalsha(sha1, keys.length, ...keys, ...args),
      limiter: async (options) => new RateLimiterRedis({ storeClient: client, ...options }),
    };
  }
  const client = createClient({ url });
  await client.connect();
  return {
    client,
    incr: (key) => client.incr(key),
    load: (script) => client.scriptLoad(script),
    evalsha: (sha1, keys, args = []) => client.evalSha(sha1, { keys, arguments: args }),
    limiter: async (options) =>
      new RateLimiterRedis({ storeClient: client, useRedisPackage: true, ...options }),
  };
}
