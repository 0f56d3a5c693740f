import { connect } from "../sqlite/connection.js";
import { databaseOf, type SqliteDatabase } from "../sqlite/database.js";
import { migrate } from "../sqlite/migrate.js";
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

export interface SqliteLedgerOptions {
  /** A connection of node:sqlite (Node 22.13 and later) or better-sqlite3, as for `sqliteStorage`; it may be the same one. */
  readonly database: SqliteDatabase;
}

/**
 * Keeps usage events in the table `tollgate_usage_event` of a file of SQLite, one row for each reservation, and makes it where it
 * is missing.
 *
 * @throws ValidationError naming the option that is wrong; whatever the driver throws where the file cannot be opened for writing
 */
export function sqliteLedgerSink(options: SqliteLedgerOptions): ReadableSink {
  const connection = connect(databaseOf(options));
  migrate(connection, "ledger", MIGRATIONS);
  return {
    async write(events) {
      connection.run(INSERT, rowsJson(events));
    },
    async sum(query) {
      const { text, values } = sumStatement(query, DIALECT);
      return connection.all(text, ...values).map((row) => sumsOf(row, query));
    },
    async open(query) {
      const { text, values } = openStatement(query, DIALECT);
      return connection.all(text, ...values).map(eventOf);
    },
  };
}

const TABLE = "tollgate_usage_event";

const DIALECT: Dialect = {
  table: TABLE,
  placeholder: () => "?",
  joinTags: "left join json_each(tags) as tag",
  tagText: "tag.key || '=' || tag.value",
  textsIn: (placeholder) => `select value from json_each(${placeholder})`,
};

const INTEGER = /_at$|_tokens$|_nano_usd$|^mcp$|^byok$/;

/** INVARIANT: what has been released stays as it is; what is new is a further step. */
const MIGRATIONS = [
  `create table if not exists ${TABLE} (${COLUMN_NAMES.map(
    (column) =>
      `${column} ${INTEGER.test(column) ? "integer" : "text"}${column === "ended_at" ? "" : " not null"}`,
  ).join(", ")}, primary key (admitted_at, id)) without rowid`,
  `create index if not exists ${TABLE}_org on ${TABLE} (org_id, admitted_at)`,
  `create index if not exists ${TABLE}_open on ${TABLE} (org_id, admitted_at) where outcome = 'open'`,
];

// `where true` tells the parser that what follows `on` is no join.
const INSERT = `insert into ${TABLE} (${COLUMN_NAMES.join(", ")})
  select ${COLUMN_NAMES.map((column) => `json_extract(value, '$.${column}')`).join(", ")} from json_each(?)
  where true ${onConflict(TABLE)}`;
