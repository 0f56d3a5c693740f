import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { used } from "../calls.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { countersOver, ioredisClient } from "./server.js";

describe.skipIf(!(await serversCanBeStarted()))("a server that may evict counters", () => {
  let server: OwnServer;
  let client: ReturnType<typeof ioredisClient>;
  beforeAll(async () => {
    server = await OwnServer.start("--save", "");
    client = ioredisClient(server.url);
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  async function warnings(policy: string): Promise<unknown[]> {
    const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    await client.config("SET", "maxmemory-policy", policy);
    const counters = countersOver(client);
    for (let i = 0; i < 3; i++) await used(counters);
    await client.ping(); // answered after the look, which was sent before
    return emitted.mock.calls.map(([warning]) => warning);
  }

  it.each(["allkeys-lru", "volatile-ttl"])("is warned of once: %s", async (policy) => {
    expect(await warnings(policy)).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)]);
  });

  it("is warned of where the first call was made before the client was connected", async () => {
    const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    await client.config("SET", "maxmemory-policy", "allkeys-lru");
    const late = new Redis(server.url, { enableOfflineQueue: false, lazyConnect: true });
    const isReady = once(late, "ready");
    try {
      const counters = countersOver(late);
      await expect(used(counters)).rejects.toThrow(); // it connects from now on
      await isReady;
      for (let i = 0; i < 3; i++) await used(counters);
      await late.ping(); // answered after the look, which was sent before
      expect(emitted).toHaveBeenCalledOnce();
    } finally {
      late.disconnect();
    }
  });

  it("is not warned of where it does not", async () => {
    expect(await warnings("noeviction")).toEqual([]);
  });

  it("is passed over in silence where INFO is not permitted", async () => {
    await client.call("ACL", "SETUSER", "plain", "on", "nopass", "~*", "+@all", "-info");
    const limited = ioredisClient(server.url.replace("//", "//plain:x@"));
    const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    await client.config("SET", "maxmemory-policy", "allkeys-lru");
    try {
      const counters = countersOver(limited);
      for (let i = 0; i < 3; i++) expect(await used(counters)).toEqual([0, 0]);
      expect(emitted).not.toHaveBeenCalled();
    } finally {
      limited.disconnect();
    }
  });
});

describe("a client that throws where it should reject", () => {
  it("is asked for the policy in vain, and no rejection is left unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const reply = [NaN, NaN, ...[7, 0, 0], ...[8, 0, 0]];
      const refuse = vi.fn(() => {
        throw new Error("EVAL is not permitted");
      });
      const counters = countersOver({ evalsha: async () => reply, eval: refuse });
      expect(await used(counters)).toEqual([7, 8]);
      expect(await used(counters)).toEqual([7, 8]);
      await new Promise((resolve) => setImmediate(resolve));
      expect(refuse).toHaveBeenCalledOnce();
    } finally {
      process.off("unhandledRejection", note);
    }
    expect(unhandled).toEqual([]);
  });
});
