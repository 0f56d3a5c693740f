import { Pool } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { migrate, migrationText } from "../../src/postgres/migration.js";
import {
  postgresCounters,
  postgresCountersSql,
  postgresLedgerSink,
  postgresStorage,
  postgresStorageSql,
} from "../../src/postgres.js";
import { put } from "../../src/testing/conformance/storage-records.js";
import { charge, limitsAt } from "../counters/limits.js";
import { openEvent } from "../ledger/events.js";
import { DATABASE_URL } from "../services.js";
import { databases } from "./databases.js";
import { dropSchema, newSchema, serverAnswers } from "./server.js";

describe.each(databases)("migrate on %s", async (_, open) => {
  const { pool, end } = await open();
  const schema = newSchema();
  afterAll(async () => {
    await dropSchema(pool, schema);
    await end();
  });

  it("makes the tables once, and a second time changes nothing", async () => {
    const storage = postgresStorage({ pool, schema });
    const counters = postgresCounters({ pool, schema });
    const done = async () =>
      (
        await pool.query(
          `SELECT part, version, done_at::text FROM "${schema}".migration ORDER BY part, version`,
        )
      ).rows;
    await storage.migrate();
    await counters.migrate();
    const first = await done();
    expect(first).toMatchObject([
      { part: "counters", version: 1 },
      { part: "storage", version: 1 },
      { part: "storage", version: 2 },
    ]);
    await storage.migrate();
    await counters.migrate();
    expect(await done()).toEqual(first);
  });

  it("takes each version of a part once, in order, whichever are there", async () => {
    const other = newSchema();
    const one = { version: 1, sql: `CREATE TABLE "${other}".a (x integer);` };
    const two = { version: 2, sql: `ALTER TABLE "${other}".a ADD y integer;` };
    const versions = async () =>
      (await pool.query(`SELECT part, version FROM "${other}".migration ORDER BY part, version`)).rows;
    try {
      await migrate(pool, migrationText(other, "storage", []));
      await migrate(pool, migrationText(other, "ledger", [one]));
      for (let i = 0; i < 2; i++) await migrate(pool, migrationText(other, "ledger", [one, two]));
      await pool.query(`SELECT x, y FROM "${other}".a`);
      await pool.query(`DROP TABLE "${other}".a`);
      await migrate(pool, migrationText(other, "counters", [one, two]));
      expect(await versions()).toEqual(
        ["counters", "ledger"].flatMap((part) => [1, 2].map((version) => ({ part, version }))),
      );
    } finally {
      await dropSchema(pool, other);
    }
  });

  it("is SQL that can be had as text and run by others", async () => {
    const other = newSchema();
    try {
      await pool.query(postgresStorageSql(other));
      await pool.query(postgresCountersSql(other));
      expect(await postgresStorage({ pool, schema: other }).get("org", "acme")).toBeUndefined();
      expect(
        await postgresCounters({ pool, schema: other }).read({ orgId: "acme", now: 0, charges: [] }),
      ).toEqual([]);
    } finally {
      await dropSchema(pool, other);
    }
  });

  it.each(["", "Upper", 'quo"te', "a.b", "x".repeat(64), "ünï", "1st"])(
    "refuses the schema %j",
    async (name) => {
      expect(() => postgresStorage({ pool, schema: name })).toThrow(ValidationError);
      expect(() => postgresCounters({ pool, schema: name })).toThrow(/schema/);
    },
  );
});

describe.runIf(await serverAnswers())("migrate on a server", () => {
  it("makes functions that a server which checks them in every way takes, and runs", async () => {
    const schema = newSchema();
    const pool = new Pool({ connectionString: DATABASE_URL, max: 1, options: "-c plpgsql.extra_errors=all" });
    const counters = postgresCounters({ pool, schema, clock: "caller" });
    const storage = postgresStorage({ pool, schema });
    const sink = postgresLedgerSink({ pool, schema });
    const acme = { id: "acme", orgId: "acme", version: 1, createdAt: 0 };
    try {
      for (const part of [counters, storage, sink]) await part.migrate();
      const limits = limitsAt("org", { rpm: 9, inFlight: 9, budget: { usd: 1, reset: "monthly" } });
      const charges = limits.map((limit) => charge(limit, 1, 0));
      const call = { id: "one", orgId: "o1", now: 0, charges };
      await counters.reserve({ ...call, ttlMs: 1_000, dryRun: true });
      await counters.reserve({ ...call, ttlMs: 1_000 });
      await counters.reserve({ ...call, ttlMs: 1_000, extend: true });
      expect(await counters.settle({ ...call, amounts: charges })).toMatchObject({ outcome: "settled" });
      expect(await counters.read(call)).toMatchObject(charges.map(() => ({ used: 1 })));
      await pool.query(`SELECT "${schema}".forget(9, 9, 9)`);
      await storage.commit([
        put("org", { ...acme, name: "Acme", status: "active", timeZone: "UTC", contentLogging: true }),
      ]);
      await sink.write([openEvent()]);
    } finally {
      await dropSchema(pool, schema);
      await pool.end();
    }
  });

  it.each(["read committed", "repeatable read", "serializable"])(
    "of 8 processes at once makes the tables once, and all of them can go on, where transactions are %s",
    async (isolation) => {
      const schema = newSchema();
      const options = `-c default_transaction_isolation=${isolation.replace(" ", "\\ ")}`;
      const pools = Array.from(
        { length: 8 },
        () => new Pool({ connectionString: DATABASE_URL, max: 1, options }),
      );
      try {
        await Promise.all(
          pools.map(async (pool, i) => {
            const parts = [postgresStorage, postgresCounters, postgresLedgerSink];
            for (const part of i % 2 ? parts.toReversed() : parts) await part({ pool, schema }).migrate();
            expect(await postgresStorage({ pool, schema }).find("org", {})).toEqual([]);
          }),
        );
        const [pool] = pools;
        const rows = (await pool?.query(`SELECT part, version FROM "${schema}".migration`))?.rows ?? [];
        const done = rows.map(({ part, version }) => `${part} ${version}`);
        expect(done.sort()).toEqual(["counters 1", "ledger 1", "storage 1", "storage 2"]);
      } finally {
        if (pools[0]) await dropSchema(pools[0], schema);
        await Promise.all(pools.map((pool) => pool.end()));
      }
    },
  );
});
