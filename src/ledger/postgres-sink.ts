import * as z from "zod";
import { parse } from "../model/validation.js";
import { migrate, migrationText } from "../postgres/migration.js";
import { notMigrated, type PostgresOptions, type PostgresRow, postgresOptions } from "../postgres/pool.js";
import { schemaName } from "../postgres/schema.js";
import type { ReadableSink } from "./sink.js";
import {
  COLUMN_NAMES,
  type Dialect,
  eventOf,
  onConflict,
  openStatement,
  rowsJson,
  sumStatement,
  sumsOf,
} from "./sql.js";

const optionsSchema = z.strictObject(postgresOptions);

/** Usage events in PostgreSQL. */
export interface PostgresLedgerSink extends ReadableSink {
  /** Makes the table where there is none. Several processes may do so at once. */
  migrate(): Promise<void>;
}

/**
 * Keeps usage events in the table `usage_event`, one row for each reservation.
 *
 * The primary key is the moment of admission and the id, so that the table may be made partitioned by `admitted_at`.
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
  // Locked in one order by every process: two that write the same events never wait for each other in a circle.
  const insert = `insert into ${table} (${columns})
    select ${columns} from json_to_recordset($1::json) as event(${COLUMN_NAMES.map((column) => `${column} ${TYPES[column]}`).join(", ")})
    order by id collate "C" ${onConflict("usage_event")}`;
  const rowsOf = async ({ text, values }: { text: string; values: readonly unknown[] }) => {
    const { rows } = await pool.query(text, [...values]).catch((error: unknown) => {
      const advice = notMigrated(error, "postgresLedgerSink");
      throw advice === undefined ? error : new Error(`the ledger's sink failed: ${advice}`, { cause: error });
    });
    return rows as PostgresRow[]; // sound: both clients give objects unless told otherwise
  };
  return {
    migrate: () => migrate(pool, postgresLedgerSql(name)),
    async write(events) {
      await rowsOf({ text: insert, values: [rowsJson(events)] });
    },
    async sum(query) {
      return (await rowsOf(sumStatement(query, dialect))).map((row) => sumsOf(row, query));
    },
    async open(query) {
      return (await rowsOf(openStatement(query, dialect))).map(eventOf);
    },
  };
}

const TYPES: Readonly<Record<(typeof COLUMN_NAMES)[number], string>> = {
  id: "text",
  outcome: "text",
  admitted_at: "bigint",
  expires_at: "bigint",
  ended_at: "bigint",
  org_id: "text",
  project_id: "text",
  user_id: "text",
  key_id: "text",
  model: "text",
  requested: "text",
  counted_as: "text",
  mcp: "boolean",
  byok: "boolean",
  input_tokens: "bigint",
  cached_input_tokens: "bigint",
  cache_write_tokens: "bigint",
  cache_write_1h_tokens: "bigint",
  audio_input_tokens: "bigint",
  image_input_tokens: "bigint",
  output_tokens: "bigint",
  reasoning_tokens: "bigint",
  audio_output_tokens: "bigint",
  image_output_tokens: "bigint",
  cost_nano_usd: "bigint",
  tags: "jsonb",
};

/**
 * What `migrate` runs, to be run by whatever migrates the rest of a database.
 *
 * @throws ValidationError for another name than a schema's
 */
export function postgresLedgerSql(schema?: string): string {
  const name = schemaName(schema);
  const columns = COLUMN_NAMES.map((column) => {
    // Sorted by bytes: no id is of a language, and every sink has one order.
    const type = TYPES[column] === "text" ? 'text collate "C"' : TYPES[column];
    return `${column} ${type}${column === "ended_at" ? "" : " not null"}`;
  });
  const table = `"${name}".usage_event`;
  // It may be there already, made by hand with partitions.
  const sql = `create table if not exists ${table} (${columns.join(", ")}, primary key (admitted_at, id));
create index if not exists usage_event_org on ${table} (org_id, admitted_at);
create index if not exists usage_event_open on ${table} (org_id, admitted_at) where outcome = 'open';`;
  return migrationText(name, "ledger", [{ version: 1, sql }]);
}
