export type {
  Argument as RedisArgument,
  IoredisClient,
  NodeRedisClient,
  RedisClient,
} from "./counters/redis/client.js";
export type { RedisCountersOptions } from "./counters/redis/options.js";
export { redisCounters } from "./counters/redis/redis-counters.js";
