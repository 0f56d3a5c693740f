import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../eventually.js";
import { limited, world } from "../../gate/world.js";
import { LossyProxy } from "../../lossy-proxy.js";
import { passed, refusedBy, settled } from "../../scenarios/answers.js";
import { chargesOf, reserve, settle, TTL_MS, used } from "../calls.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { countersOver, ioredisClient, nodeRedisClient } from "./server.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1 };

describe.skipIf(!(await serversCanBeStarted()))("an outage of Redis", () => {
  let server: OwnServer;
  const ends: (() => unknown)[] = [];
  beforeEach(async () => {
    server = await OwnServer.start("--appendonly", "yes", "--appendfsync", "always", "--save", "");
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await server.remove();
  });

  /** A client of each library that comes back by itself once the server does. */
  async function connect(name: string, url = server.url) {
    if (name === "ioredis") {
      const client = new Redis(url, { retryStrategy: () => 20 });
      client.on("error", () => {}); // told by the commands as well
      ends.push(() => client.disconnect());
      return client;
    }
    const client = createClient({ url, socket: { reconnectStrategy: () => 20 } });
    client.on("error", () => {});
    await client.connect();
    ends.push(() => client.destroy());
    return client;
  }

  it.each(["ioredis", "node-redis"])(
    "by a kill and restart keeps what was charged, and loads the scripts again: %s",
    async (name) => {
      const counters = countersOver(await connect(name));
      await reserve(counters, 10, { id: "a" });
      await server.kill();
      await server.start();
      expect(await settle(counters, "a", 4)).toMatchObject({ outcome: "settled", used: [4, 1] });
      expect(await used(counters)).toEqual([4, 1]);
    },
  );

  it.each(["ioredis", "node-redis"])(
    "keeps no call waiting longer than countersTimeoutMs, and calls pass again after it: %s",
    async (name) => {
      const counters = countersOver(await connect(name));
      const gate = world(limited({ key: { rpm: 1_000 } }), { counters, countersTimeoutMs: 1_000 }).gate;
      const before = passed(await gate.admit(KEY, CALL));
      server.hang();
      ends.push(() => server.goOn());
      const waits: number[] = [];
      const timed = async <T>(call: Promise<T>) => {
        const start = performance.now();
        await call.catch(() => {});
        waits.push(performance.now() - start);
        return call;
      };
      const admissions = Array.from({ length: 20 }, () => timed(gate.admit(KEY, CALL)));
      for (const admission of await Promise.all(admissions)) {
        expect(refusedBy(admission).reason).toBe("counters_unavailable");
      }
      await expect(timed(gate.settle(before.reservation, {}))).rejects.toMatchObject({
        code: "counters_unavailable",
      });
      // Each waited for its own time-out and for no other: far from one after the other.
      expect(Math.min(...waits)).toBeGreaterThan(900);
      expect(Math.max(...waits)).toBeLessThan(1_000 * 10);
      server.goOn();
      await expect.poll(async () => (await gate.admit(KEY, CALL)).admitted, { timeout: 20_000 }).toBe(true);
    },
  );

  it("answers what a client reports as counters_unavailable", async () => {
    const client = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: () => 20 });
    client.on("error", () => {});
    ends.push(() => client.disconnect());
    const gate = world(limited({ key: { rpm: 10 } }), { counters: countersOver(client) }).gate;
    passed(await gate.admit(KEY, CALL));
    await server.kill();
    expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("counters_unavailable");
  });

  describe("that loses a reply after the script ran", () => {
    /** Connections that lose their next reply, and one that loses none to look at the counts with. */
    async function lossy(name: string, options: { resends?: boolean } = {}) {
      const proxy = await LossyProxy.start(server.port);
      ends.push(() => proxy.close());
      const whole = ioredisClient(server.url);
      ends.push(() => whole.disconnect());
      const counters = countersOver(whole, "t:");
      const broken =
        options.resends === false
          ? await failing(`redis://127.0.0.1:${proxy.port}`)
          : await connect(name, `redis://127.0.0.1:${proxy.port}`);
      const over = countersOver(broken, "t:");
      await used(over); // connected, the script of read loaded
      const warm = await over.reserve({
        id: "warm",
        orgId: "o2",
        now: Date.now(),
        ttlMs: TTL_MS,
        charges: chargesOf(1),
      });
      await over.settle({ id: "warm", orgId: "o2", now: Date.now(), amounts: chargesOf(1) });
      expect(warm.outcome).toBe("reserved");
      return { proxy, over, counters };
    }

    /** Reports what was lost instead of sending it again. */
    async function failing(url: string) {
      const client = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => 20 });
      client.on("error", () => {});
      ends.push(() => client.disconnect());
      return client;
    }

    it.each([
      ["ioredis", false],
      ["node-redis", true],
    ])("a retry with the same request id charges once: %s", async (name, resends) => {
      const { proxy, over, counters } = await lossy(name, { resends });
      proxy.loseNextReply();
      await expect(reserve(over, 10, { id: "a", requestId: "q" })).rejects.toThrow();
      // As soon as the client is connected again.
      const again = await eventually(() => reserve(over, 10, { id: "b", requestId: "q" }));
      expect(again).toMatchObject({ outcome: "replayed", id: "a" });
      expect(await used(counters)).toEqual([10, 1]);
      expect(await settle(counters, "a", 3)).toMatchObject({ outcome: "settled" });
      expect(await used(counters)).toEqual([3, 1]);
    });

    it("a reserve that the client itself sends again charges once", async () => {
      const { proxy, over, counters } = await lossy("ioredis");
      proxy.loseNextReply();
      expect(await reserve(over, 10, { id: "a" })).toMatchObject({
        outcome: "replayed",
        id: "a",
        used: [10, 1],
      });
      expect(await used(counters)).toEqual([10, 1]);
    });

    it("a reserve that took the last room and is sent again is not refused by its own charge", async () => {
      const { proxy, over } = await lossy("ioredis");
      proxy.loseNextReply();
      expect(await reserve(over, 1_000, { id: "a" })).toMatchObject({
        outcome: "replayed",
        used: [1_000, 1],
      });
    });

    it("an extension that the client itself sends again is added once", async () => {
      const { proxy, over, counters } = await lossy("ioredis");
      await reserve(over, 10, { id: "a" });
      proxy.loseNextReply();
      const request = {
        id: "a",
        orgId: "o1",
        now: Date.now(),
        ttlMs: TTL_MS,
        charges: chargesOf(5),
        extend: true,
      };
      const extended = await over.reserve(request);
      expect(extended).toMatchObject({ outcome: "reserved", charges: [{ amount: 15 }, { amount: 2 }] });
      expect(await used(counters)).toEqual([15, 2]);
    });

    it("a settle that the client itself sends again is settled once, and says so", async () => {
      const { proxy, over, counters } = await lossy("ioredis");
      await reserve(over, 10, { id: "a" });
      proxy.loseNextReply();
      expect(await settle(over, "a", 4)).toMatchObject({ outcome: "settled", used: [4, 1] });
      expect(await settle(over, "a", 4)).toEqual({ outcome: "already_settled" });
      expect(await used(counters)).toEqual([4, 1]);
    });
  });

  it("leaves a reservation that another process can settle", async () => {
    const first = await nodeRedisClient(server.url);
    const gates = [first, await connect("ioredis")].map(
      (client) => world(limited({ key: { rpm: 10 } }), { counters: countersOver(client, "t:") }).gate,
    );
    const admitted = passed(await (gates[0] as (typeof gates)[number]).admit(KEY, CALL)); // sound: there are two
    first.destroy();
    const json = JSON.stringify(admitted.reservation);
    settled(await (gates[1] as (typeof gates)[number]).settle(JSON.parse(json), {}));
  });
});
