import { setImmediate } from "node:timers/promises";
import { connect } from "../sqlite/connection.js";
import { databaseOf, type SqliteDatabase } from "../sqlite/database.js";
import { migrate } from "../sqlite/migrate.js";
import { COLUMN_NAMES, columnDefinitions, eventOf, rowsJson, storedText } from "./columns.js";
import { inTurns } from "./in-turns.js";
import type { ReadableSink, ReportScope, SumQuery, Sums } from "./sink.js";
import { type Dialect, onConflict, openStatement, sumStatement, sumsIn } from "./sql.js";
import { add, type Totals } from "./totals.js";

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

  /** The end of the part of a query that begins at `from` and has as many calls as are added up at once. */
  function endOf({ orgId, to, underWay }: SumQuery, from: number): number {
    if (underWay) return to; // few are, and they have an index
    const row = connection.first(NEXT_PART, storedText(orgId), from, to, CALLS_AT_ONCE);
    // More than those may have been admitted within the same millisecond.
    return row === undefined ? to : Math.max(Number(row.admitted_at), from + 1);
  }

  async function sum(query: SumQuery, within?: readonly ReportScope[]): Promise<Sums[]> {
    const groups = new Map<string, Totals & Pick<Sums, "group">>();
    for (let { from } = query; ; ) {
      const to = endOf(query, from);
      const { text, values } = sumStatement({ ...query, from, to }, DIALECT, within);
      const sums = await sumsIn(connection.all(text, ...values), query);
      await inTurns(sums, (one) => {
        const name = JSON.stringify(one.group);
        const known = groups.get(name);
        if (known) add(known, one);
        else groups.set(name, one);
      });
      if (to >= query.to) return [...groups.values()];
      from = to;
      await setImmediate();
    }
  }

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

/**
 * How many calls one statement adds up. SQLite has the whole answer before it returns, and all calls of the process wait
 * for it: some twenty milliseconds with these, where all calls of a month would take seconds.
 */
const CALLS_AT_ONCE = 10_000;

const TABLE = "tollgate_usage_event";

/** When the first call behind so many was admitted. Only the index is read. */
const NEXT_PART = `select admitted_at from ${TABLE} where org_id = ? and admitted_at >= ? and admitted_at < ?
  order by admitted_at limit 1 offset ?`;

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
