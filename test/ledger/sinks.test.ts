import Database from "libsql";
import pg from "pg";
import { memoryLedgerSink } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { sqliteLedgerSink } from "tollgate/sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { pglite } from "../postgres/databases.js";
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

const lite = await pglite();
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

it("a sink over a driver that leaves truth values as text takes `f` for false", async () => {
  const asText = {
    query: async (text: string, values?: unknown[]) => {
      const { rows } = await lite.query<Record<string, unknown>>(text, values);
      const shown = (value: unknown) => (typeof value === "boolean" ? String(value).slice(0, 1) : value);
      return {
        rows: rows.map((row) =>
          Object.fromEntries(Object.entries(row).map(([name, value]) => [name, shown(value)])),
        ),
      };
    },
  };
  const sink = postgresLedgerSink({ pool: asText, schema: "truth" });
  await sink.migrate();
  const events = [openEvent({ id: "a" }), openEvent({ id: "b", byok: true })];
  await sink.write(events);
  expect(await sink.open({ orgId: "o1", from: 0, limit: 10 })).toEqual(events);
});

it("a sink over Postgres throws what the driver throws", async () => {
  const error = new Error("connection terminated");
  const sink = postgresLedgerSink({ pool: { query: () => Promise.reject(error) } });
  await expect(sink.write([openEvent()])).rejects.toBe(error);
});

describe.skipIf(!answers)("the table in PostgreSQL", () => {
  it("can be made by ten processes at once", async () => {
    const fresh = `${schema}_once`;
    await Promise.all(
      Array.from({ length: 10 }, () => postgresLedgerSink({ pool, schema: fresh }).migrate()),
    );
    await pool.query(`drop schema "${fresh}" cascade`);
  });

  it("is written by processes that have the same events in other orders without a deadlock", async () => {
    const own = `${schema}_order`;
    const sink = postgresLedgerSink({ pool, schema: own });
    await sink.migrate();
    await sink.write([openEvent({ id: "a" }), openEvent({ id: "b" })]);
    const other = await pool.connect();
    try {
      const { rows } = await other.query("select pg_backend_pid() as pid");
      const lock = (id: string) =>
        other.query(`select from "${own}".usage_event where id = $1 for update nowait`, [id]);
      await other.query("begin");
      await lock("a");
      const writing = sink.write([settledEvent({ id: "b" }), settledEvent({ id: "a" })]);
      const blocked = "select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))";
      await eventually(async () => expect((await pool.query(blocked, [rows[0].pid])).rowCount).toBe(1));
      await lock("b"); // free: who waits for the first of them has none yet
      await other.query("commit");
      await writing;
    } finally {
      await other.query("rollback");
      other.release();
    }
    await pool.query(`drop schema "${own}" cascade`);
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
