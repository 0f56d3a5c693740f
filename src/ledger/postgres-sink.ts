import * as z from "zod";
import { parse } from "../model/validation.js";
import { type Migration, migrate, migrationText } from "../postgres/migration.js";
import { notMigrated, type PostgresOptions, type PostgresRow, postgresOptions } from "../postgres/pool.js";
import { schemaName } from "../postgres/schema.js";
import { COLUMN_NAMES, columnDefinitions, eventOf, rowsJson, typedColumns } from "./columns.js";
import type { ReadableSink, ReportScope, SumQuery } from "./sink.js";
import { type Dialect, onConflict, openStatement, sumStatement, sumsIn } from "./sql.js";

const optionsSchema = z.strictObject(postgresOptions);

const TYPES = { text: "text", integer: "bigint", boolean: "boolean", tags: "jsonb" } as const;

/** A sink in Postgres. The database stays the caller's: closing the ledger does not close it. */
export interface PostgresLedgerSink extends ReadableSink {
  /** Creates the table if it is missing. Several processes may do so at once. */
  migrate(): Promise<void>;
}

/**
 * Makes a sink that keeps usage events in the table `usage_event` of Postgres, one row for each reservation.
 *
 * The primary key is the time of admission and the id, so that the table can be partitioned by `admitted_at`.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function postgresLedgerSink(options: PostgresOptions): PostgresLedgerSink {
  const { pool, schema } = parse(optionsSchema, options ?? {}, "options");
  const name = schemaName(schema);
  const table = `"${name}".usage_event`;
  const dialect: Dialect = {
    table,
    placeholder: (n) => `$${n}`,
    joinTags: "left join lateral jsonb_each_text(tags) as tag(name, value) on true",
    tagText: "tag.name || '=' || tag.value",
    textsIn: (placeholder) => `select json_array_elements_text(${placeholder}::json)`,
  };
  const columns = COLUMN_NAMES.join(", ");
  // Every process locks in the same order, so two that write the same events never wait for each other in a circle.
  const insert = `insert into ${table} (${columns})
    select ${columns} from json_to_recordset($1::json) as event(${typedColumns(TYPES).join(", ")})
    order by id collate "C" ${onConflict("usage_event")}`;
  const rowsOf = async ({ text, values }: { text: string; values: readonly unknown[] }) => {
    const { rows } = await pool.query(text, [...values]).catch((error: unknown) => {
      const advice = notMigrated(error, "postgresLedgerSink");
      throw advice === undefined ? error : new Error(`the ledger's sink failed: ${advice}`, { cause: error });
    });
    return rows as PostgresRow[]; // Sound: both clients return objects unless told otherwise.
  };
  const sum = async (query: SumQuery, within?: readonly ReportScope[]) =>
    sumsIn(await rowsOf(sumStatement(query, dialect, within)), query);
  return {
    migrate: () => migrate(pool, postgresLedgerSql(name)),
    async write(events) {
      await rowsOf({ text: insert, values: [rowsJson(events)] });
    },
    sum: (query) => sum(query),
    sumWithin: (query, within) => sum(query, within),
    async open(query) {
      return (await rowsOf(openStatement(query, dialect))).map(eventOf);
    },
  };
}

/**
 * The SQL that `migrate` runs, for tools that migrate the rest of a database.
 *
 * @param schema the schema of the table. Default: `tollgate`.
 * @throws ValidationError if `schema` is not the name of a schema
 */
export function postgresLedgerSql(schema?: string): string {
  const name = schemaName(schema);
  return migrationText(name, "ledger", ledgerMigrations(name));
}

/**
 * INVARIANT: a released migration stays as it is. A change is a new version. Version 1 is made of `COLUMNS`, so a column
 * that is added there after a release has to be left out of it, and added by the new version.
 */
export function ledgerMigrations(schema: string): Migration[] {
  // Sorted by bytes: ids belong to no language, and every sink has the same order.
  const columns = columnDefinitions({ ...TYPES, text: 'text collate "C"' });
  const table = `"${schema}".usage_event`;
  // It may exist already, created by hand with partitions.
  const sql = `create table if not exists ${table} (${columns}, primary key (admitted_at, id));
create index if not exists usage_event_org on ${table} (org_id, admitted_at);
create index if not exists usage_event_open on ${table} (org_id, admitted_at) where outcome = 'open';`;
  return [{ version: 1, sql }];
}
