import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Charge } from "../../../src/admission/charge.js";
import type { Counters } from "../../../src/counters/counters.js";
import { redisCounters } from "../../../src/redis.js";
import { TTL_MS } from "../calls.js";
import { charge, limitsAt } from "../limits.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { ioredisClient, keysOf } from "./server.js";

const MINUTE_MS = 60_000;
const ORG = "o1";

const common = [
  ...limitsAt("org", { rpm: 1_000, tpm: 1_000_000, budget: { usd: 100, reset: "monthly" } }),
  ...limitsAt("project", { rpm: 1_000, tpm: 1_000_000 }),
];

// The same objects for each call, as those of a chain are.
const limits = {
  100: [...common, ...limitsAt("key", { rpm: 100, tpm: 1_000_000 })],
  50: [...common, ...limitsAt("key", { rpm: 50, tpm: 1_000_000 })],
  1: [...common, ...limitsAt("key", { rpm: 1, tpm: 1_000_000 })],
};

/** Of three scopes, where the key has so many requests a minute. */
function chargesOf(tokens: number, rpm: keyof typeof limits = 100): Charge[] {
  return limits[rpm].map((limit) => charge(limit, limit.meter === "requests" ? 1 : tokens, Date.now()));
}

describe.skipIf(!(await serversCanBeStarted()))("the plan of a call's limits in Redis", () => {
  let server: OwnServer;
  let client: ReturnType<typeof ioredisClient>;
  /** The plan that each script call brought. */
  let brought: string[] = [];
  beforeAll(async () => {
    server = await OwnServer.start("--save", "");
    client = ioredisClient(server.url);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    brought = [];
    await client.flushall();
  });
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  /** Counters of one process. */
  function process(): Counters {
    const noted = {
      evalsha(sha1: string, keys: number, ...rest: string[]) {
        brought.push(rest[keys + 3] ?? "none");
        return client.evalsha(sha1, keys, ...rest);
      },
      eval: (text: string, keys: number, ...rest: string[]) => client.eval(text, keys, ...rest),
    };
    return redisCounters({ client: noted, prefix: "t:" });
  }

  const call = { orgId: ORG, ttlMs: TTL_MS };
  const reserve = (counters: Counters, id: string, charges: Charge[], more: object = {}) =>
    counters.reserve({ ...call, id, now: Date.now(), charges, ...more });
  const settle = async (counters: Counters, id: string, amounts: Charge[]) =>
    Object(await counters.settle({ orgId: ORG, id, now: Date.now(), amounts }));
  const used = async (counters: Counters) =>
    (await counters.read({ orgId: ORG, now: Date.now(), charges: chargesOf(0) })).map(({ used }) => used);
  const plans = () => keysOf(client, "t:{o1}:p:");

  async function loseThePlans(): Promise<void> {
    expect(await client.del(...(await plans()))).toBeGreaterThan(0);
  }

  it("is brought and kept by the first call of a process, and not brought by those that follow", async () => {
    const [one, other] = [process(), process()];
    for (const counters of [one, other]) {
      await client.del("none", ...(await plans()));
      for (const id of ["a", "b", "c"]) await reserve(counters, `${id}${brought.length}`, chargesOf(5));
    }
    await reserve(one, "d", chargesOf(5));
    await settle(one, "d", chargesOf(3));
    const [plan = ""] = brought;
    expect(plan).toContain("tokens/minute");
    expect(brought).toEqual([plan, "", "", plan, "", "", "", ""]);
    expect(await plans()).toHaveLength(1);
  });

  it("is brought again before a record could outlive it", async () => {
    const counters = process();
    const start = performance.now();
    const clock = vi.spyOn(performance, "now");
    for (const minutes of [0, 29, 31, 60, 62]) {
      clock.mockReturnValue(start + minutes * MINUTE_MS);
      await reserve(counters, `r${minutes}`, chargesOf(5));
    }
    expect(brought.map((plan) => plan !== "")).toEqual([true, false, true, false, true]);
    const [key = ""] = await plans();
    // The record is kept for its TTL and ten minutes; the plan longer, by what others may leave it out for.
    expect(await client.pttl(key)).toBeGreaterThan(TTL_MS + 10 * MINUTE_MS + 59 * MINUTE_MS);
  });

  it("is kept for the longest of the reservations that need it, whoever brings it last", async () => {
    const longMs = 12 * TTL_MS;
    await reserve(process(), "a", chargesOf(5), { ttlMs: longMs });
    await reserve(process(), "b", chargesOf(5), { ttlMs: 1_000 });
    const [key = ""] = await plans();
    expect(await client.pttl(key)).toBeGreaterThan(longMs);
  });

  it("is not taken for kept where a call was refused or a dry run", async () => {
    const counters = process();
    await reserve(counters, "a", chargesOf(5, 1), { dryRun: true });
    await reserve(counters, "a", chargesOf(5, 1));
    expect(brought.every((plan) => plan !== "")).toBe(true);
    await loseThePlans();
    const later = process();
    for (const id of ["b", "c"]) {
      expect(await reserve(later, id, chargesOf(5, 1))).toMatchObject({ outcome: "refused" });
    }
    expect(brought.every((plan) => plan !== "")).toBe(true);
  });

  it("is asked for where it is lost and the call needs it, and kept from then on", async () => {
    const counters = process();
    await reserve(counters, "a", chargesOf(5));
    await reserve(counters, "b", chargesOf(5));
    await reserve(counters, "b", chargesOf(2), { extend: true });
    await loseThePlans();
    brought = [];
    // Extended, so the short way does not settle it.
    expect(await settle(counters, "b", chargesOf(6))).toMatchObject({ used: [2, 11, 11, 2, 11, 2, 11] });
    expect(brought.map((plan) => plan !== "")).toEqual([false, true]);
    // The rows of other limits are taken apart by the plan.
    await reserve(process(), "c", chargesOf(5, 50));
    await loseThePlans();
    brought = [];
    expect(await reserve(counters, "d", chargesOf(5))).toMatchObject({ used: [4, 21, 21, 4, 21, 4, 21] });
    expect(brought.map((plan) => plan !== "")).toEqual([false, true]);
    expect(await plans()).toHaveLength(1);
  });

  it("of a reservation is read where its limits have changed since: replayed, extended and settled", async () => {
    const counters = process();
    const idempotency = { key: "k", fingerprint: "f" };
    const first = Object(await reserve(counters, "a", chargesOf(5), { idempotency }));
    const again = Object(await reserve(process(), "b", chargesOf(5, 50), { idempotency }));
    expect(again).toMatchObject({ outcome: "replayed", id: "a", charges: first.charges });
    const extended = Object(await reserve(process(), "a", chargesOf(2, 50), { extend: true }));
    expect(extended.charges.map(({ amount }: Charge) => amount)).toEqual([2, 7, 7, 2, 7, 2, 7]);
    expect(extended.charges[5].limit.max).toBe(100);
    brought = [];
    expect(await settle(process(), "a", chargesOf(1, 50))).toMatchObject({ used: [1, 1, 1, 1, 1, 1, 1] });
    // Once without any plan, then with those of both parts.
    expect(brought).toHaveLength(2);
    // Limits that nothing was reserved for, as after a fallback: their plan and that of the reservation are asked for at once.
    await reserve(counters, "c", chargesOf(5));
    brought = [];
    expect(await settle(process(), "c", chargesOf(1, 1))).toMatchObject({ used: [2, 2, 2, 2, 2, 2, 2] });
    expect(brought.map((plan) => plan !== "")).toEqual([false, true]);
  });

  it("of a reservation whose limits have changed, once it is lost: nothing is given back, and a replay fails", async () => {
    const counters = process();
    const idempotency = { key: "k", fingerprint: "f" };
    await reserve(counters, "a", chargesOf(5), { idempotency });
    await loseThePlans();
    const replay = reserve(process(), "b", chargesOf(5, 50), { idempotency });
    await expect(replay).rejects.toThrow("Redis has lost the limits of an open reservation");
    // With the same limits nothing is missing.
    expect(await reserve(process(), "c", chargesOf(5), { idempotency })).toMatchObject({ id: "a" });
    await settle(process(), "a", chargesOf(1, 50));
    expect(await used(counters)).toEqual([2, 6, 6, 2, 6, 2, 6]);
  });
});
