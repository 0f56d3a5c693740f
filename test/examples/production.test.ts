import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Pool } from "pg";
import { createGate } from "tollgate";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { storesFrom } from "../../examples/production/stores.js";
import { ioredisClient, redisAnswers, removeKeys } from "../counters/redis/server.js";
import { eventually } from "../eventually.js";
import { freePort } from "../free-port.js";
import { LossyProxy } from "../lossy-proxy.js";
import { serverAnswers } from "../postgres/server.js";
import { DATABASE_URL, REDIS_URL } from "../services.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const source = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe("the compose file of the production example", () => {
  it("gives the gateway the environment that the example reads", () => {
    const compose = source("examples/production/compose.yaml");
    const environment = /gateway:.*?environment:\n(.*?)\n {4}ports:/s.exec(compose)?.[1] ?? "";
    const names = [...environment.matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name);
    expect(names).toEqual(["DATABASE_URL", "REDIS_URL", "GATEWAYS", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"]);
    const code = ["production/main", "production/stores", "gateway/demo"].map((file) =>
      source(`examples/${file}.ts`),
    );
    for (const name of names) expect(code.join("\n")).toContain(`env.${name}`);
  });
});

it("without an environment, a gate keeps everything in memory", async () => {
  const { close, ...stores } = await storesFrom({});
  expect(stores).toEqual({});
  await close();
});

it("a store that does not answer is told at the start", async () => {
  await expect(storesFrom({ DATABASE_URL: "postgres://127.0.0.1:9/none" })).rejects.toThrow("ECONNREFUSED");
});

describe.runIf((await serverAnswers()) && (await redisAnswers()))(
  "the stores of the production example",
  () => {
    const orgId = `production-${randomBytes(6).toString("hex")}`;
    const database = orgId.replace("-", "_");
    const server = new Pool({ connectionString: DATABASE_URL, max: 1 });
    const url = new URL(DATABASE_URL);
    url.pathname = `/${database}`;

    beforeAll(async () => {
      await server.query(`CREATE DATABASE ${database}`);
    });
    afterAll(async () => {
      const client = ioredisClient();
      await removeKeys(client, `tollgate:{${orgId}`);
      client.disconnect();
      await server.query(`DROP DATABASE IF EXISTS ${database}`);
      await server.end();
    });

    it.each([
      ["Redis and Postgres", { REDIS_URL }],
      ["Postgres alone, listening past a pooler", { DATABASE_DIRECT_URL: url.href }],
    ])("make one gate of two processes: %s", async (name, more) => {
      const env = { DATABASE_URL: url.href, ...more };
      // Together, as two processes start.
      const made = await Promise.all([storesFrom(env), storesFrom(env)]);
      const [one, other] = made.map(({ close: _, ...stores }) =>
        createGate({ ...stores, countersTimeoutMs: 30_000 }),
      );
      if (!one || !other) throw new Error("two gates");
      const id = `${orgId}-${name.length}`;
      const owner = one.as({ userId: "olga" });
      await owner.orgs.create({ id, name });
      const { id: projectId } = await owner.projects.create({ orgId: id, name: "Search" });
      const { key, token } = await owner.keys.create({ orgId: id, projectId, limits: { rpm: 2 } });
      for (const gate of [one, other]) {
        const admission = await gate.admit(token, { model: "gpt-4o", costUsd: "0.25" });
        if (!admission.admitted) throw new Error(admission.message);
        await other.settle(admission.reservation, { costUsd: "0.25" });
      }
      expect(await one.admit(token, { model: "gpt-4o", costUsd: 0 })).toMatchObject({
        reason: "rate_limited",
      });

      // What one writes, the other hears of, long before what it remembers is too old.
      await owner.keys.update({ keyId: key.id, limits: { rpm: 3 } });
      const admits = async () => (await other.check(token, { model: "gpt-4o", costUsd: 0 })).admitted;
      await expect.poll(admits).toBe(true);

      await one.close();
      await other.close();
      const [ledger] = made.map((stores) => stores.ledger);
      const day = { from: Date.now() - 3_600_000, to: Date.now() + 3_600_000 };
      const report = await ledger?.report({ org: id, ...day, groupBy: "key" });
      expect(report?.total).toMatchObject({ calls: 2, usd: "0.5" });
      for (const { close } of made) await close();
    });

    it("serve keys that are known while the records are away, and a shutdown then says what is not written", async () => {
      const proxy = await LossyProxy.start(Number(url.port || 5432));
      onTestFinished(() => proxy.close());
      const away = new URL(url);
      away.host = `127.0.0.1:${proxy.port}`;
      const free = await freePort();
      // Counts in Postgres too: the keys of this org in Redis may be somebody's.
      const { DATABASE_DIRECT_URL: _, OPENAI_API_KEY: __, REDIS_URL: ___, ...rest } = process.env;
      const env = { ...rest, DATABASE_URL: away.href, PORT: String(free) };
      // One process, so that a signal reaches it.
      const args = ["--import", "tsx", "examples/production/main.ts"];
      const main = spawn(process.execPath, args, { cwd: root, env });
      onTestFinished(() => void main.kill("SIGKILL"));
      let told = "";
      const tell = (text: Buffer) => {
        told += text;
      };
      main.stdout.on("data", tell);
      main.stderr.on("data", tell);
      const call = async () => {
        const [, token] = /shown this once: (\S+)/.exec(told) ?? [];
        const body = '{"model":"gpt-4o","max_tokens":3,"messages":[]}';
        const headers = { authorization: `Bearer ${token}` };
        const path = `http://127.0.0.1:${free}/v1/chat/completions`;
        return (await fetch(path, { method: "POST", headers, body })).status;
      };
      await eventually(async () => expect(await call()).toBe(200));
      proxy.cut();
      expect(await call()).toBe(200);
      main.kill("SIGTERM");
      const [code] = await once(main, "exit");
      expect(told).toMatch(/not all could be written: \d+ usage events? w/);
      expect(code).toBe(1);
    });
  },
);
