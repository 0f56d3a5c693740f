import Database from "libsql";
import { memoryLedgerSink } from "tollgate";
import { postgresLedgerSink } from "tollgate/postgres";
import { sqliteLedgerSink } from "tollgate/sqlite";
import type { ReadableSink } from "../../src/ledger/sink.js";
import { ownSchema } from "../ledger/database.js";

type Make = () => Promise<ReadableSink>;

/** Every sink that ships, by its name, each empty; without Postgres where none answers. */
export async function ledgerSinks(): Promise<readonly (readonly [name: string, make: Make])[]> {
  const database = await ownSchema();
  const postgres: Make | undefined =
    database &&
    (async () => {
      const { pool, schema } = database;
      const sink = postgresLedgerSink({ pool, schema });
      await sink.migrate();
      await pool.query(`truncate "${schema}".usage_event`);
      return sink;
    });
  return [
    ["memory", async () => memoryLedgerSink()],
    ["SQLite", async () => sqliteLedgerSink({ database: new Database(":memory:") })],
    ...(postgres ? [["PostgreSQL", postgres] as const] : []),
  ];
}
