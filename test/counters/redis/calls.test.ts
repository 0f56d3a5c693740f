import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ZONES_APART_MS } from "../../../src/admission/calendar-count.js";
import type { Charge } from "../../../src/admission/charge.js";
import type { RedisClient } from "../../../src/redis.js";
import { redisCounters } from "../../../src/redis.js";
import { eventually } from "../../eventually.js";
import { chargesOf, reserve, rpm, settle, TTL_MS, used } from "../calls.js";
import { charge, limitOf, limitsAt } from "../limits.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { countersOver, ioredisClient, keysOf, nodeRedisClient, ownPrefix } from "./server.js";

const clients = ["ioredis", "node-redis"] as const;

describe.skipIf(!(await serversCanBeStarted()))("calls to Redis", () => {
  let server: OwnServer;
  let admin: ReturnType<typeof ioredisClient>;
  let nodeRedis: Awaited<ReturnType<typeof nodeRedisClient>>;
  const clientOf = (name: (typeof clients)[number]): RedisClient => (name === "ioredis" ? admin : nodeRedis);
  beforeAll(async () => {
    server = await OwnServer.start("--save", "");
    admin = ioredisClient(server.url);
    nodeRedis = await nodeRedisClient(server.url);
  });
  afterEach(() => admin.flushall());
  afterAll(async () => {
    admin.disconnect();
    nodeRedis.destroy();
    await server.remove();
  });

  /** How often each command was called since the last CONFIG RESETSTAT. */
  async function commandCalls(): Promise<Record<string, number>> {
    const stats = await admin.info("commandstats");
    const lines = stats.matchAll(/cmdstat_(\w+)(?:\|\w+)?:calls=(\d+)/g);
    return Object.fromEntries([...lines].map(([, name = "", calls]) => [name, Number(calls)]));
  }

  it.each([
    ["with the same limits", 3],
    ["with other limits, so that the rows were written for those", 1],
  ])(
    "give back of counts that were lost, while calls were open, nothing below zero: after a call %s",
    async (_, limitsAfter) => {
      // All at one moment: what is given back goes to the second that was charged, and to no later one.
      const counters = redisCounters({ client: admin, clock: "caller" });
      const limits = limitsAt("key", {
        tpm: 1_000,
        budget: [
          { usd: 1, reset: "never" },
          { usd: 1, reset: "monthly" },
        ],
      });
      const now = Date.now();
      const charges = (amount: number) => limits.map((limit) => charge(limit, amount, now));
      const call = (id: string, charges: readonly Charge[]) =>
        counters.reserve({ id, orgId: "o1", now, ttlMs: TTL_MS, charges });
      expect(await call("open", charges(60))).toMatchObject({ outcome: "reserved" });
      const scopes = (await keysOf(admin, "")).filter((key) => key.includes(":s:"));
      expect(await admin.unlink(...scopes)).toBe(1);
      expect(await call("after", charges(5).slice(0, limitsAfter))).toMatchObject({ outcome: "reserved" });
      const amounts = charges(10);
      expect(await counters.settle({ id: "open", orgId: "o1", now, amounts })).toMatchObject({
        outcome: "settled",
        used: [0, 0, 0],
      });
      expect(
        (await counters.read({ orgId: "o1", now, charges: charges(0) })).map(({ used }) => used),
      ).toEqual([0, 0, 0]);
    },
  );

  it("never answer with a reservation that has expired by the clock of its counts, where a process is behind", async () => {
    const prefix = ownPrefix();
    const [ahead, behind] = [0, 1].map(() => redisCounters({ client: admin, prefix, clock: "caller" }));
    const now = Date.now();
    const ask = (id: string, at: number, key: string) => ({
      id,
      orgId: "o1",
      now: at,
      ttlMs: 1_000,
      charges: chargesOf(1, now),
      idempotency: { key, fingerprint: "f" },
    });
    expect(await behind?.reserve(ask("a", now, "k1"))).toMatchObject({ outcome: "reserved" });
    expect(await behind?.reserve(ask("b", now + 999, "k1"))).toMatchObject({ outcome: "replayed", id: "a" });
    expect(await ahead?.reserve(ask("c", now + 1_000, "k2"))).toMatchObject({ outcome: "reserved" });
    expect(await behind?.reserve(ask("d", now + 999, "k1"))).toMatchObject({ outcome: "reserved", id: "d" });
  });

  it.each(clients)("are one for each reserve, settle and read, with nine limits: %s", async (name) => {
    const counters = countersOver(clientOf(name));
    const limits = (["org", "project", "key"] as const).flatMap((scope) =>
      limitsAt(scope, { rpm: 1_000, tpm: 1_000_000, budget: { usd: 100, reset: "monthly" } }),
    );
    const now = Date.now();
    const charges = limits.map((limit) => charge(limit, 1, now));
    const at = { orgId: "o1", now };
    const call = async (id: string) => {
      expect(await counters.reserve({ id, ...at, ttlMs: TTL_MS, charges })).toMatchObject({
        outcome: "reserved",
      });
      expect(await counters.settle({ id, ...at, amounts: charges })).toMatchObject({ outcome: "settled" });
      await counters.read({ ...at, charges });
    };
    await call("first"); // loads the scripts and looks at the eviction policy
    await eventually(async () => expect(await commandCalls()).toHaveProperty("eval"));
    await admin.config("RESETSTAT");
    for (let i = 0; i < 10; i++) await call(`r${i}`);
    const { evalsha, hset, eval: evals = 0 } = await commandCalls();
    expect({ evalsha, evals }).toEqual({ evalsha: 30, evals: 0 });
    // One writing for each of the three scopes.
    expect(hset).toBe(60);
  });

  it.each(clients)("go on through SCRIPT FLUSH, charged once each: %s", async (name) => {
    const counters = countersOver(clientOf(name));
    await reserve(counters, 10, { id: "a" });
    await admin.script("FLUSH");
    expect(await settle(counters, "a", 4)).toMatchObject({ outcome: "settled", used: [4, 1] });
    await admin.script("FLUSH");
    const many = Array.from({ length: 20 }, () => reserve(counters, 5));
    for (const outcome of await Promise.all(many)) expect(outcome.outcome).toBe("reserved");
    await admin.script("FLUSH");
    expect(await used(counters)).toEqual([104, 21]);
  });

  it("leave no key behind that does not expire by itself, but for lifetime budgets", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:" });
    const now = Date.now();
    const scopes = {
      key: limitsAt("key", { rpm: 9, tpm: 9, rpd: 9, inFlight: 9, budget: { usd: 1, reset: "monthly" } }),
      member: limitsAt("member", { budget: { usd: 1, reset: "never" } }),
    };
    const charges = [...scopes.key, ...scopes.member].map((limit) => charge(limit, 1, now));
    const at = { orgId: "o1", now, ttlMs: TTL_MS };
    const idempotency = { key: "k", fingerprint: "f" };
    await counters.reserve({ id: "a", ...at, charges, idempotency });
    await counters.reserve({ id: "a", ...at, charges, extend: true });
    await counters.reserve({ id: "b", ...at, charges });
    await counters.settle({ id: "b", orgId: "o1", now, amounts: charges });
    const keys = await keysOf(admin, "t:");
    const ttls = await Promise.all(keys.map(async (key) => [key, await admin.pttl(key)] as const));
    expect(ttls.filter(([, ttl]) => ttl < 0).map(([key]) => key)).toEqual([
      expect.stringContaining('"member"'),
    ]);
    const ttlOf = (text: string) => ttls.find(([key]) => key.includes(text))?.[1] ?? 0;
    expect(ttlOf(":r:a")).toBeGreaterThan(TTL_MS);
    expect(ttlOf(":r:b")).toBeLessThanOrEqual(600_000);
    expect(ttlOf(":i:")).toBeLessThanOrEqual(TTL_MS);
  });

  it("leave none behind on the short way either, which calls on rows that are there take", async () => {
    const counters = countersOver(admin, "t:");
    await reserve(counters, 1, { id: "first" });
    await reserve(counters, 1, { id: "a", requestId: "q" });
    await reserve(counters, 1, { id: "b" });
    await settle(counters, "b", 1);
    const keys = await keysOf(admin, "t:");
    const ttls = await Promise.all(keys.map(async (key) => [key, await admin.pttl(key)] as const));
    expect(ttls.filter(([, ttl]) => ttl < 0).map(([key]) => key)).toEqual([
      expect.stringContaining('"org"'), // it has a lifetime budget
    ]);
    const ttlOf = (text: string) => ttls.find(([key]) => key.includes(text))?.[1] ?? 0;
    expect(ttlOf(":r:a")).toBeGreaterThan(TTL_MS);
    expect(ttlOf(":r:b")).toBeLessThanOrEqual(600_000);
    expect(ttlOf(":i:")).toBeLessThanOrEqual(TTL_MS);
  });

  it("keep a count as long as it matters and little longer, and a scope to which a lifetime budget comes for ever", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:" });
    await counters.reserve({
      id: "a",
      orgId: "o1",
      now: Date.now(),
      ttlMs: 1,
      charges: [{ limit: rpm, amount: 1 }],
    });
    const key = (await keysOf(admin, "t:")).find((name) => name.includes(":s:")) ?? "";
    const ttl = await admin.pttl(key);
    expect(ttl).toBeGreaterThan(60_000);
    expect(ttl).toBeLessThanOrEqual(121_000);
    const lifetime = limitOf({ budget: { usd: 1, reset: "never" } });
    await counters.reserve({
      id: "b",
      orgId: "o1",
      now: Date.now(),
      ttlMs: 1,
      charges: [{ limit: lifetime, amount: 1 }],
    });
    expect(await admin.pttl(key)).toBe(-1);
  });

  it("keep a budget's period as long as reservations of it may be extended, on the short way too", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:" });
    const limit = limitOf({ budget: { usd: 1, reset: "daily" } });
    const now = Date.now();
    const ttlMs = 10 * 86_400_000;
    const charges = [charge(limit, 1, now)];
    const keptMs = async () =>
      admin.pttl((await keysOf(admin, "t:")).find((name) => name.includes(":s:")) ?? "");
    await counters.reserve({ id: "a", orgId: "o1", now, ttlMs, charges });
    expect(await keptMs()).toBeGreaterThan(ttlMs);
    await admin.flushall();
    await counters.reserve({ id: "b", orgId: "o1", now, ttlMs: TTL_MS, charges });
    expect(await keptMs()).toBeLessThan(ttlMs);
    await counters.reserve({ id: "c", orgId: "o1", now, ttlMs, charges });
    expect(await keptMs()).toBeGreaterThan(ttlMs);
  });

  it("keep nothing for ever that is charged long after its period has ended", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:" });
    const now = Date.now();
    const limit = limitOf({ budget: { usd: 1, reset: "daily" } });
    const { period } = charge(limit, 1, now - 4 * 86_400_000);
    await counters.reserve({
      id: "a",
      orgId: "o1",
      now,
      ttlMs: 1_000,
      charges: [{ limit, amount: 1, period }],
    });
    const keys = await keysOf(admin, "t:");
    expect(await Promise.all(keys.map((key) => admin.pttl(key)))).not.toContain(-1);
  });

  it.each(["daily", "weekly", "monthly"] as const)(
    "hold a budget whose period is long over by the server's clock, of a gate whose clock is far behind: %s",
    async (reset) => {
      const counters = redisCounters({ client: admin, prefix: "t:" });
      const now = Date.now() - 60 * 86_400_000;
      const charges = [charge(limitOf({ budget: { usd: 1, reset } }), 0.6e9, now)];
      const request = { orgId: "o1", now, ttlMs: TTL_MS, charges };
      expect(await counters.reserve({ id: "a", ...request })).toMatchObject({ outcome: "reserved" });
      const [key = ""] = (await keysOf(admin, "t:")).filter((name) => name.includes(":s:"));
      expect(await admin.pttl(key)).toBeGreaterThan(80_000_000);
      expect(await counters.reserve({ id: "b", ...request })).toMatchObject({ outcome: "refused" });
    },
  );

  it.each(["daily", "weekly", "monthly"] as const)(
    "keep a budget until its period is over by the clock of its gate, which may be far behind, on the short way too: %s",
    async (reset) => {
      const counters = redisCounters({ client: admin, prefix: "t:" });
      const noon = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 60 * 86_400_000 + 43_200_000;
      const budget = limitOf({ budget: { usd: 1, reset } });
      const keptMs = async () =>
        admin.pttl((await keysOf(admin, "t:")).find((name) => name.includes(":s:")) ?? "");
      for (const now of [noon, noon - 600_000]) {
        const sentAt = Date.now();
        const spent = charge(budget, 1, now);
        const charges = [charge(limitOf({ tpm: 100 }), 1, now), spent];
        await counters.reserve({ id: `at ${now}`, orgId: "o1", now, ttlMs: TTL_MS, charges });
        const leftMs = (spent.period?.endsAt ?? 0) - now;
        expect(await keptMs()).toBeGreaterThan(leftMs + ZONES_APART_MS - (Date.now() - sentAt));
      }
    },
  );

  it("remember a closed reservation for the time they are told", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:", rememberClosedMs: 2_000 });
    await reserve(counters, 1, { id: "a" });
    await settle(counters, "a", 1);
    expect(await settle(counters, "a", 1)).toEqual({ outcome: "already_settled" });
    await eventually(async () =>
      expect(await settle(counters, "a", 1)).toEqual({ outcome: "unknown_reservation" }),
    );
    expect(await used(counters)).toEqual([1, 1]);
  });

  it("keep of a call that is extended many times the amounts of each extension, and the limits once", async () => {
    const counters = countersOver(admin);
    const now = Date.now();
    const limits = (["org", "project", "key"] as const).flatMap((scope) =>
      limitsAt(scope, { rpm: 1_000, tpm: 1_000_000, budget: { usd: 100, reset: "monthly" } }),
    );
    const charges = limits.map((limit) => charge(limit, 1, now));
    const call = { id: "a", orgId: "o1", now, ttlMs: TTL_MS, charges };
    const extend = async (times: number) => {
      for (let i = 0; i < times; i++) await counters.reserve({ ...call, extend: true });
      const sizes = await Promise.all((await admin.keys("*")).map((key) => admin.strlen(key).catch(() => 0)));
      return sizes.reduce((sum, size) => sum + size, 0); // of the record and the limits: all else are hashes
    };
    await counters.reserve(call);
    const few = await extend(1);
    expect((await extend(100)) - few).toBeLessThan(100 * 300);
    expect(few).toBeGreaterThan(500);
    const { used } = Object(await counters.settle({ ...call, amounts: charges }));
    expect(used).toEqual(limits.map(() => 1));
  });

  it("go by the server's clock, however far off that of the caller is", async () => {
    const counters = countersOver(admin);
    const one = [{ limit: limitOf({ rpm: 1 }), amount: 1 }];
    const at = (skewMs: number) => ({ orgId: "o1", now: Date.now() + skewMs, ttlMs: TTL_MS, charges: one });
    expect(await counters.reserve({ id: "a", ...at(-7_200_000) })).toMatchObject({ outcome: "reserved" });
    for (const skewMs of [-7_200_000, 0, 7_200_000]) {
      const outcome = await counters.reserve({ id: `b${skewMs}`, ...at(skewMs) });
      if (outcome.outcome !== "refused") throw new Error(outcome.outcome);
      const [reading] = outcome.readings;
      expect(reading?.waitMs).toBeGreaterThan(0);
      expect(reading?.waitMs).toBeLessThanOrEqual(61_000);
    }
  });

  it("never let a scope's clock run backwards, after a server whose clock was ahead", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:" });
    const ahead = redisCounters({ client: admin, prefix: "t:", clock: "caller" });
    const charges = [{ limit: limitOf({ rpm: 2 }), amount: 1 }];
    const now = Date.now();
    const request = { orgId: "o1", now, ttlMs: TTL_MS, charges };
    await ahead.reserve({ id: "a", ...request, now: now + 30_000 });
    expect(await counters.reserve({ id: "b", ...request })).toMatchObject({ outcome: "reserved", used: [2] });
    const outcome = await counters.reserve({ id: "c", ...request });
    if (outcome.outcome !== "refused") throw new Error(outcome.outcome);
    // Both count from the later of the two clocks on.
    expect(outcome.readings[0]?.waitMs).toBeGreaterThan(60_000);
    expect(outcome.readings[0]?.waitMs).toBeLessThanOrEqual(92_000);
  });

  it.each(["before the clock was set back", "after it"])(
    "keep every count of a call until it matters no more, where a scope's clock is ahead of the server's: made %s",
    async (made) => {
      const counters = redisCounters({ client: admin, prefix: "t:" });
      const ahead = redisCounters({ client: admin, prefix: "t:", clock: "caller" });
      const now = Date.now();
      const org = { limit: limitOf({ rpm: 9 }, "org"), amount: 1 };
      const request = { orgId: "o1", now, ttlMs: TTL_MS };
      const both = { ...request, charges: [org, { limit: limitOf({ rpm: 9 }), amount: 1 }] };
      if (made === "before the clock was set back") await counters.reserve({ id: "a", ...both });
      await ahead.reserve({ id: "b", ...request, now: now + 300_000, charges: [org] });
      expect(await counters.reserve({ id: "c", ...both })).toMatchObject({ outcome: "reserved" });
      const key = (await keysOf(admin, "t:")).find((name) => name.includes('"key"')) ?? "";
      // It counts from the clock of the org on, for a minute.
      expect(await admin.pttl(key)).toBeGreaterThan(300_000 + 60_000 - (Date.now() - now));
    },
  );

  it("tell what they have done at any moment of the caller's clock, the first milliseconds of the epoch too", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:", clock: "caller" });
    for (let now = 0; now < 10; now++) {
      const charges = [{ limit: rpm, amount: 1 }];
      const outcome = await counters.reserve({ id: `r${now}`, orgId: "o1", now, ttlMs: TTL_MS, charges });
      expect(outcome).toMatchObject({ outcome: "reserved", used: [now + 1], reservedAt: now });
    }
  });

  it("count a moment of the caller's clock before 1970 as its beginning", async () => {
    const counters = redisCounters({ client: admin, prefix: "t:", clock: "caller" });
    const charges = [{ limit: limitOf({ rpm: 1 }), amount: 1 }];
    const reserve = (id: string, now: number) =>
      counters.reserve({ id, orgId: "o1", now, ttlMs: TTL_MS, charges });
    expect(await reserve("a", -1)).toMatchObject({ outcome: "reserved", reservedAt: 0 });
    expect(await reserve("b", 60_999)).toMatchObject({ outcome: "refused", readings: [{ waitMs: 1 }] });
    expect(await reserve("c", 61_000)).toMatchObject({ outcome: "reserved", reservedAt: 61_000 });
  });

  it("of several clients at once never pass a limit", async () => {
    const others = await Promise.all([nodeRedisClient(server.url), nodeRedisClient(server.url)]);
    const own = [ioredisClient(server.url), ioredisClient(server.url)];
    const counters = [...others, ...own].map((client) => countersOver(client, "t:"));
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 400 }, (_, i) => {
          const some = counters[i % counters.length];
          if (some === undefined) throw new Error("counters");
          return reserve(some, 3 + (i % 5));
        }),
      );
      const admitted = outcomes.flatMap((one) => (one.outcome === "reserved" ? [one] : []));
      const sum = admitted.reduce((total, { charges }) => total + (charges[0]?.amount ?? 0), 0);
      expect(admitted).toHaveLength(100); // the minute's requests; the budget has room for more
      expect(sum).toBeLessThanOrEqual(1_000);
      expect(await used(counters[0] ?? countersOver(admin, "t:"))).toEqual([sum, 100]);
    } finally {
      for (const client of others) client.destroy();
      for (const client of own) client.disconnect();
    }
  });

  it("keep counts up to 9,000,000 US dollars exactly", async () => {
    const counters = countersOver(admin);
    const limit = limitOf({ budget: { usd: 9_000_000, reset: "never" } });
    const at = { orgId: "o1", now: Date.now(), ttlMs: TTL_MS };
    const most = 9_000_000 * 1e9;
    await counters.reserve({ id: "a", ...at, charges: [{ limit, amount: most - 1 }] });
    expect(await counters.reserve({ id: "b", ...at, charges: [{ limit, amount: 2 }] })).toMatchObject({
      outcome: "refused",
      readings: [{ used: most - 1 }],
    });
    expect(await counters.reserve({ id: "c", ...at, charges: [{ limit, amount: 1 }] })).toMatchObject({
      used: [most],
    });
  });

  it("refuse two charges on one count in one call, and change nothing", async () => {
    const counters = countersOver(admin, "t:");
    const twice = [...chargesOf(1), ...chargesOf(1)];
    const request = { id: "a", orgId: "o1", now: Date.now(), ttlMs: TTL_MS, charges: twice };
    await expect(counters.reserve(request)).rejects.toMatchObject({ code: "validation", field: "charges" });
    expect(await keysOf(admin, "t:")).toEqual([]);
  });
});
