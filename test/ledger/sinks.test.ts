import { PGlite } from "@electric-sql/pglite";
import Database from "libsql";
import pg from "pg";
import { memoryLedgerSink } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { sqliteLedgerSink } from "tollgate/sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { DATABASE_URL, serviceAnswers } from "../services.js";
import { openEvent, settledEvent } from "./events.js";
import { sinkSuite } from "./sink-suite.js";

sinkSuite("memory", async () => memoryLedgerSink());
sinkSuite("SQLite by libsql", async () => sqliteLedgerSink({ database: new Database(":memory:") }));

const nodeSqlite = await import("node:sqlite" as string).catch(() => undefined);
if (nodeSqlite === undefined) console.warn("skipped: node:sqlite is not in this version of Node");
else
  sinkSuite("SQLite by node:sqlite", async () =>
    sqliteLedgerSink({ database: new nodeSqlite.DatabaseSync(":memory:") }),
  );

const lite = new PGlite();
await lite.waitReady; // takes longer than a test may
afterAll(() => lite.close());
sinkSuite("PostgreSQL by PGlite", async () => {
  const sink = postgresLedgerSink({ pool: lite });
  await sink.migrate();
  await lite.exec("truncate tollgate.usage_event");
  return sink;
});

const schema = `ledger_${process.pid}_${Math.random().toString(36).slice(2)}`;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
const answers = await serviceAnswers("PostgreSQL", () => pool.query("select 1"));
afterAll(async () => {
  if (answers) await pool.query(`drop schema if exists "${schema}" cascade`);
  await pool.end();
});

if (answers) {
  sinkSuite("PostgreSQL by pg", async () => {
    const sink = postgresLedgerSink({ pool, schema });
    await sink.migrate();
    await pool.query(`truncate "${schema}".usage_event`);
    return sink;
  });
}

describe.skipIf(!answers)("the table in PostgreSQL", () => {
  it("can be made by ten processes at once", async () => {
    const fresh = `${schema}_once`;
    await Promise.all(
      Array.from({ length: 10 }, () => postgresLedgerSink({ pool, schema: fresh }).migrate()),
    );
    await pool.query(`drop schema "${fresh}" cascade`);
  });

  it("may be partitioned by month, made by hand before it is migrated", async () => {
    const own = `${schema}_parts`;
    const plain = postgresLedgerSink({ pool, schema });
    await plain.migrate();
    await pool.query(`create schema "${own}"`);
    await pool.query(`create table "${own}".usage_event (like "${schema}".usage_event including all)
      partition by range (admitted_at)`);
    await pool.query(`create table "${own}".may partition of "${own}".usage_event
      for values from (${Date.UTC(2026, 4, 1)}) to (${Date.UTC(2026, 5, 1)})`);
    const sink = postgresLedgerSink({ pool, schema: own });
    await sink.migrate();
    await sink.write([openEvent()]);
    await sink.write([settledEvent()]);
    const { rows } = await pool.query(`select outcome from "${own}".may`);
    expect(rows).toEqual([{ outcome: "settled" }]);
    await pool.query(`drop schema "${own}" cascade`);
  });
});
