import { Pool } from "pg";
import { createGate } from "tollgate";
import { postgresCounters, postgresStorage } from "tollgate/postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { reserve, settle, used } from "../counters/calls.js";
import { eventually } from "../eventually.js";
import { limited, world } from "../gate/world.js";
import { LossyProxy } from "../lossy-proxy.js";
import { passed, refusedBy, settled } from "../scenarios/answers.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { newSchema } from "./server.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1 };

describe.skipIf(!(await serversCanBeStarted()))("an outage of Postgres", () => {
  let server: OwnServer;
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await OwnServer.start();
  });
  afterAll(() => server.remove());
  let schema: string;
  beforeEach(async () => {
    schema = newSchema();
    await server.start();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  function poolOf(connectionString = server.url, max = 4): Pool {
    const pool = new Pool({ connectionString, max });
    pool.on("error", () => {}); // told by the queries as well
    ends.push(() => pool.end());
    return pool;
  }

  /** A way to the server that can be broken, and the URL of it. */
  async function detour() {
    const proxy = await LossyProxy.start(Number(new URL(server.url).port));
    ends.push(() => proxy.close());
    const url = new URL(server.url);
    url.port = String(proxy.port);
    return { proxy, url: url.href };
  }

  async function countersOver(pool = poolOf()) {
    const counters = postgresCounters({ pool, schema });
    await counters.migrate();
    return counters;
  }

  it("by a crash and restart keeps what was charged, over the pool from before", async () => {
    const counters = await countersOver();
    await reserve(counters, 10, { id: "a" });
    await server.kill();
    await expect(reserve(counters, 10)).rejects.toThrow();
    await server.start();
    expect(await settle(counters, "a", 4)).toMatchObject({ outcome: "settled", used: [4, 1] });
    expect(await used(counters)).toEqual([4, 1]);
  });

  it("keeps no call waiting for more than countersTimeoutMs where more hang than there are connections", async () => {
    const counters = await countersOver();
    const gate = world(limited({ key: { rpm: 1_000 } }), { counters, countersTimeoutMs: 1_000 }).gate;
    const before = passed(await gate.admit(KEY, CALL));
    await server.hang();
    const calls = Array.from({ length: 20 }, () => gate.admit(KEY, CALL));
    for (const answer of await Promise.all(calls))
      expect(refusedBy(answer).reason).toBe("counters_unavailable");
    await expect(gate.settle(before.reservation, {})).rejects.toMatchObject({ code: "counters_unavailable" });
    server.goOn();
    await expect.poll(async () => (await gate.admit(KEY, CALL)).admitted, { timeout: 20_000 }).toBe(true);
  });

  it("that loses the answer to a reserve that was done: a retry with the same request id charges once", async () => {
    const whole = await countersOver();
    const { proxy, url } = await detour();
    const over = postgresCounters({ pool: poolOf(url, 1), schema });
    await used(over); // connected
    proxy.loseNextReply();
    await expect(reserve(over, 10, { id: "a", requestId: "q" })).rejects.toThrow();
    const again = await eventually(() => reserve(over, 10, { id: "b", requestId: "q" }));
    expect(again).toMatchObject({ outcome: "replayed", id: "a" });
    expect(await used(whole)).toEqual([10, 1]);
    expect(await settle(whole, "a", 3)).toMatchObject({ outcome: "settled" });
    expect(await used(whole)).toEqual([3, 1]);
  });

  it("keeps known keys working, and one that is revoked while a gate hears nothing is refused there once it hears again", async () => {
    const { proxy, url } = await detour();
    const gateOf = (connectionString: string) => {
      const storage = postgresStorage({ pool: poolOf(connectionString), schema });
      const gate = createGate({ storage, cache: { maxAgeMs: 3_600_000 } });
      ends.push(() => gate.close());
      return { storage, gate };
    };
    const [{ storage, gate }, other] = [gateOf(server.url), gateOf(url)];
    await storage.migrate();
    const olga = gate.as({ userId: "olga" });
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    const { key, token } = await olga.keys.create({ orgId: "acme", projectId: "web" });
    settled(await other.gate.settle(passed(await other.gate.admit(token, CALL)).reservation, {}));

    await server.kill();
    passed(await other.gate.admit(token, CALL));
    await expect(olga.keys.revoke({ keyId: key.id })).rejects.toThrow();
    proxy.cut();
    await server.start();
    await eventually(() => olga.keys.revoke({ keyId: key.id }));
    passed(await other.gate.admit(token, CALL));
    proxy.restore();
    await expect
      .poll(async () => Reflect.get(await other.gate.admit(token, CALL), "reason"), { timeout: 20_000 })
      .toBe("key_revoked");
  });
});
