import { connect } from "../sqlite/connection.js";
import { databaseOf, type SqliteDatabase } from "../sqlite/database.js";
import { migrate } from "../sqlite/migrate.js";
import { COLUMN_NAMES, columnDefinitions, eventOf, rowsJson } from "./columns.js";
import type { ReadableSink, ReportScope, SumQuery } from "./sink.js";
import { type Dialect, onConflict, openStatement, sumStatement, sumsIn } from "./sql.js";

/** Options of {@link sqliteLedgerSink}. */
export interface SqliteLedgerOptions {
  /**
   * A connection of node:sqlite (Node 22.13 or later) or better-sqlite3, as for `sqliteStorage`. It may be the same
   * one.
   */
  readonly database: SqliteDatabase;
}

/**
 * Makes a sink that keeps usage events in the table `tollgate_usage_event` of an SQLite file, one row for each
 * reservation. It creates the table if it is missing.
 *
 * @throws ValidationError naming the option that is wrong
 * @throws ConflictError if a later version of the package has migrated the file
 * @throws what the driver throws if the file cannot be opened for writing
 */
export function sqliteLedgerSink(options: SqliteLedgerOptions): ReadableSink {
  const connection = connect(databaseOf(options));
  migrate(connection, "ledger", LEDGER_MIGRATIONS);
  const sum = async (query: SumQuery, within?: readonly ReportScope[]) => {
    const { text, values } = sumStatement(query, DIALECT, within);
    return sumsIn(connection.all(text, ...values), query);
  };
  return {
    async write(events) {
      connection.run(INSERT, rowsJson(events));
    },
    sum: (query) => sum(query),
    sumWithin: (query, within) => sum(query, within),
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

const TYPES = { text: "text", integer: "integer", boolean: "integer", tags: "text" } as const;

/**
 * INVARIANT: a released migration stays as it is. A change is a further step. The first step is made of the columns, so
 * one that is added after a release has to be left out of it.
 */
export const LEDGER_MIGRATIONS: readonly string[] = [
  `create table if not exists ${TABLE} (${columnDefinitions(TYPES)}, primary key (admitted_at, id)) without rowid`,
  `create index if not exists ${TABLE}_org on ${TABLE} (org_id, admitted_at)`,
  `create index if not exists ${TABLE}_open on ${TABLE} (org_id, admitted_at) where outcome = 'open'`,
];

// `where true` tells the parser that `on` does not belong to a join.
const INSERT = `insert into ${TABLE} (${COLUMN_NAMES.join(", ")})
  select ${COLUMN_NAMES.map((column) => `json_extract(value, '$.${column}')`).join(", ")} from json_each(?)
  where true ${onConflict(TABLE)}`;
