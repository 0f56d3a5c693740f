import { createClient } from "redis";
import { describe, expect, it } from "vitest";
import { type RedisCountersOptions, redisCounters } from "../../../src/redis.js";

const client = { eval: async () => [], evalsha: async () => [] };

describe("redisCounters", () => {
  it.each([
    ["client", { client: {} }],
    ["client", { client: null }],
    ["client", { client: createClient().legacy() }],
    ["prefix", { client, prefix: "a{b" }],
    ["prefix", { client, prefix: "" }],
    ["clock", { client, clock: "mine" }],
    ["rememberClosedMs", { client, rememberClosedMs: 0 }],
    ["url", { client, url: "redis://" }],
  ])("refuses a wrong option and names it: %s", (field, options) => {
    // Sound: the point is that the types are wrong.
    expect(() => redisCounters(options as unknown as RedisCountersOptions)).toThrow(
      expect.objectContaining({ code: "validation", field: `options.${field}` }),
    );
  });
});
