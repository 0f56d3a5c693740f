import type { RecordKind, Records } from "../../model/records.js";
import { type Connection, connect } from "../../sqlite/connection.js";
import { databaseOf, type SqliteDatabase } from "../../sqlite/database.js";
import { migrate } from "../../sqlite/migrate.js";
import { checkAny, checkChanges, checkWhere, staleVersion, takenValue } from "../checks.js";
import { findAnyBy } from "../find-any.js";
import { FEW_VALUES, INDEXES } from "../indexes.js";
import { snakeCase } from "../snake-case.js";
import type { Change, Changed, Page, Storage, Where } from "../storage.js";
import { ChangeLog } from "./change-log.js";
import { STORAGE_MIGRATIONS } from "./migrations.js";
import { Watch } from "./watch.js";

/** Options of {@link sqliteStorage}. */
export interface SqliteStorageOptions {
  /**
   * A connection of node:sqlite (Node 22.13 or later) or better-sqlite3. Counters may share it. It stays the caller's:
   * `close` leaves it open.
   *
   * It is set to write-ahead logging with `synchronous = FULL`. Do not leave a transaction open on it across an
   * `await`.
   */
  readonly database: SqliteDatabase;
}

/**
 * Makes a storage in an SQLite file, which survives a restart and which processes on one machine may share. It creates
 * its tables (`tollgate_…`) if they are missing.
 *
 * While somebody watches, `watch` reports the commits of other processes within 100 ms.
 *
 * @throws ValidationError naming the option that is wrong
 * @throws ConflictError if a later version of the package has migrated the file
 * @throws what the driver throws if the file cannot be opened for writing
 */
export function sqliteStorage(options: SqliteStorageOptions): Storage {
  const connection = connect(databaseOf(options));
  migrate(connection, "storage", STORAGE_MIGRATIONS);
  const log = new ChangeLog(connection);
  const watch = new Watch(log);

  function get<K extends RecordKind>(kind: K, id: string): Records[K] | undefined {
    if (!id.isWellFormed()) return undefined; // The driver would look for another id.
    return recordIn<K>(connection.first(`SELECT record FROM ${tableOf(kind)} WHERE id = ?`, id));
  }

  function find<K extends RecordKind>(kind: K, where: Where<K>, { after, limit }: Page): Records[K][] {
    const wanted = Object.entries(where).filter((one): one is [string, string] => one[1] !== undefined);
    if (wanted.some(([, value]) => !value.isWellFormed())) return [];
    const sought = narrowest(connection, kind, wanted, after);
    // With a plus, SQLite does not go by an index of the column: it would take that for as good as any other.
    const terms = wanted.map(([field]) => {
      const isOther = sought !== undefined && field !== sought && field !== "orgId";
      return `${isOther ? "+" : ""}${snakeCase(field)} = ?`;
    });
    if (after !== undefined) terms.push("id > ?");
    const sql = `SELECT record FROM ${tableOf(kind)} WHERE ${terms.join(" AND ") || "TRUE"} ORDER BY id LIMIT ?`;
    const values = [...wanted.map(([, value]) => value), ...(after === undefined ? [] : [after])];
    // A negative limit means no limit.
    const rows = connection.all(sql, ...values, limit === undefined || limit === Infinity ? -1 : limit);
    return rows.flatMap((row) => recordIn<K>(row) ?? []);
  }

  return {
    async get(kind, id) {
      return get(kind, id);
    },
    async find(kind, where, page = {}) {
      checkWhere(kind, where);
      return find(kind, where, page);
    },
    async findAny(kind, where, any, page = {}) {
      checkWhere(kind, where);
      checkAny(kind, any);
      const lookUps = {
        get: (id: string) => get(kind, id),
        find: (narrowed: typeof where, part: Page) => find(kind, narrowed, part),
        compare: (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)),
      };
      return findAnyBy<typeof kind>(lookUps, where, any, page);
    },
    async commit(changes) {
      checkChanges(changes);
      connection.transaction("IMMEDIATE", () => log.append(write(connection, changes)));
      watch.look();
    },
    watch: (listener, missed) => watch.add(listener, missed),
    async close() {
      watch.close();
    },
  };
}

/** The table of a kind. */
function tableOf(kind: RecordKind): string {
  return `tollgate_${snakeCase(kind)}`;
}

/** How far the entries of an index are counted to tell whether another one has fewer. */
const COUNTED_MAX = 10_000;

/**
 * The field by whose index to search, if there are several: the one with the fewest records that a page may begin
 * with. Among thousands of writes by one user, those of a rare action are then found without reading the others.
 */
function narrowest(
  connection: Connection,
  kind: RecordKind,
  wanted: readonly (readonly [string, string])[],
  after = "",
): string | undefined {
  const orgId = wanted.find(([field]) => field === "orgId")?.[1];
  const fields = wanted.filter(([field]) => field !== "orgId");
  if (orgId === undefined || fields.length < 2) return undefined;
  const counted = fields.map(([field, value]) => {
    const entries = `SELECT 1 FROM ${tableOf(kind)} WHERE org_id = ? AND ${snakeCase(field)} = ? AND id > ?`;
    const sql = `SELECT count(*) AS records FROM (${entries} LIMIT ${COUNTED_MAX})`;
    const records = Number(connection.first(sql, orgId, value, after)?.records);
    return { field, records, hasFewValues: Number(FEW_VALUES.has(field)) };
  });
  counted.sort((a, b) => a.records - b.records || a.hasFewValues - b.hasFewValues);
  return counted[0]?.field;
}

/** Checks every change against what is stored, then makes them all. Runs within a transaction. */
function write(connection: Connection, changes: readonly Change[]): Changed[] {
  const changed: Changed[] = [];
  // What is replaced is removed first. Its unique values are then free for the other changes, in whatever order they
  // come.
  for (const { kind, id, expectedVersion, record } of changes) {
    const table = tableOf(kind);
    const row = connection.first(`SELECT version, record FROM ${table} WHERE id = ?`, id);
    const present = Number(row?.version ?? 0);
    if (present !== expectedVersion) throw staleVersion(kind, id, expectedVersion, present);
    changed.push({ kind, id, orgId: (record ?? recordIn(row))?.orgId ?? "" });
    if (row !== undefined) connection.run(`DELETE FROM ${table} WHERE id = ?`, id);
  }
  for (const { kind, record } of changes) {
    if (record === undefined) continue;
    checkUnique(connection, kind, record);
    insert(connection, kind, record);
  }
  return changed;
}

/** @throws ConflictError if another record has one of the unique values */
function checkUnique(connection: Connection, kind: RecordKind, record: Records[RecordKind]): void {
  for (const fields of INDEXES[kind].unique) {
    const values = fields.map((field) => indexedValue(record, field));
    if (!values.every((value) => value !== null)) continue;
    const terms = fields.map((field) => `${snakeCase(field)} = ?`).join(" AND ");
    const holder = connection.first(`SELECT id FROM ${tableOf(kind)} WHERE ${terms}`, ...values);
    if (holder !== undefined) throw takenValue(kind, fields);
  }
}

function insert(connection: Connection, kind: RecordKind, record: Records[RecordKind]): void {
  const { fields } = INDEXES[kind];
  const columns = ["id", "version", ...fields.map(snakeCase), "record"];
  const places = columns.map(() => "?").join(", ");
  const values = [record.id, record.version, ...fields.map((field) => indexedValue(record, field))];
  const sql = `INSERT INTO ${tableOf(kind)} (${columns.join(", ")}) VALUES (${places})`;
  connection.run(sql, ...values, JSON.stringify(record));
}

/** The value of an indexed field, which is text if present. */
function indexedValue(record: Records[RecordKind], field: string): string | null {
  const value: unknown = Reflect.get(record, field);
  return typeof value === "string" ? value : null;
}

function recordIn<K extends RecordKind>(
  row: Readonly<Record<string, unknown>> | undefined,
): Records[K] | undefined {
  if (row === undefined) return undefined;
  return JSON.parse(String(row.record)) as Records[K]; // sound: what is in the table of a kind was checked to be of it
}
