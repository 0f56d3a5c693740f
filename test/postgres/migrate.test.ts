import { afterAll, describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import {
  postgresCounters,
  postgresCountersSql,
  postgresStorage,
  postgresStorageSql,
} from "../../src/postgres.js";
import { databases } from "./databases.js";
import { dropSchema, newSchema, serverAnswers, serverPool } from "./server.js";

describe.each(databases)("migrate on %s", (_, open) => {
  const { pool, end } = open();
  const schema = newSchema();
  afterAll(async () => {
    await dropSchema(pool, schema);
    await end();
  });

  it("makes the tables once, and a second time changes nothing", async () => {
    const storage = postgresStorage({ pool, schema });
    const counters = postgresCounters({ pool, schema });
    const done = async () =>
      (await pool.query(`SELECT part, version, done_at::text FROM "${schema}".migration ORDER BY part`)).rows;
    await storage.migrate();
    await counters.migrate();
    const first = await done();
    expect(first).toMatchObject([
      { part: "counters", version: 1 },
      { part: "storage", version: 1 },
    ]);
    await storage.migrate();
    await counters.migrate();
    expect(await done()).toEqual(first);
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

  it.each(["", "Upper", 'quo"te', "a.b", "x".repeat(64), "ünï"])("refuses the schema %j", async (name) => {
    expect(() => postgresStorage({ pool, schema: name })).toThrow(ValidationError);
    expect(() => postgresCounters({ pool, schema: name })).toThrow(/schema/);
  });
});

describe.runIf(await serverAnswers())("migrate on a server", () => {
  it("of 8 processes at once makes the tables once, and all of them can go on", async () => {
    const schema = newSchema();
    const pools = Array.from({ length: 8 }, () => serverPool(1));
    try {
      await Promise.all(
        pools.map(async (pool) => {
          await postgresStorage({ pool, schema }).migrate();
          await postgresCounters({ pool, schema }).migrate();
          expect(await postgresStorage({ pool, schema }).find("org", {})).toEqual([]);
        }),
      );
      const [pool] = pools;
      const rows = (await pool?.query(`SELECT part FROM "${schema}".migration`))?.rows;
      expect(rows).toHaveLength(2);
    } finally {
      if (pools[0]) await dropSchema(pools[0], schema);
      await Promise.all(pools.map((pool) => pool.end()));
    }
  });
});
