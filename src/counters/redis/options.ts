import * as z from "zod";
import { parse, wholeNumber } from "../../model/validation.js";
import { isRedisClient, type RedisClient } from "./client.js";

/** Options of `redisCounters`. */
export interface RedisCountersOptions {
  /**
   * A client or Cluster of ioredis, or a connected client, cluster, pool or sentinel of node-redis. It stays the
   * caller's: `close` leaves it open.
   */
  readonly client: RedisClient;
  /** What every key begins with: 1 to 64 characters without braces or white space. Default: `tollgate:`. */
  readonly prefix?: string | undefined;
  /**
   * The clock for sliding windows and reservations. With `server`, processes need not agree on the time. `caller` is
   * for replays and tests: the time is what the calls say, and every key is kept for at least a day. Default: `server`.
   */
  readonly clock?: "server" | "caller" | undefined;
  /**
   * How long a closed reservation is remembered, in milliseconds from 1 to 86,400,000 (a day). Default: 600,000.
   *
   * Until then a second settle answers `already_settled` or `expired`; after that, `unknown_reservation`. It changes
   * nothing either way.
   */
  readonly rememberClosedMs?: number | undefined;
}

const optionsSchema = z.strictObject({
  client: z.custom<RedisClient>(isRedisClient, {
    error: "a client of ioredis or node-redis whose commands answer with promises",
  }),
  prefix: z
    .string()
    .regex(/^[^{}\s]{1,64}$/, { error: "1 to 64 characters without braces and white space" })
    .optional(),
  clock: z.enum(["server", "caller"]).optional(),
  rememberClosedMs: wholeNumber(1, 86_400_000, "a whole number of milliseconds").optional(),
});

/** @throws ValidationError naming the option that is wrong */
export function settingsFrom(options: RedisCountersOptions) {
  const { client, prefix, clock, rememberClosedMs } = parse(optionsSchema, options, "options");
  return {
    client,
    prefix: prefix ?? "tollgate:",
    clock: clock ?? "server",
    rememberClosedMs: rememberClosedMs ?? 600_000,
  };
}
