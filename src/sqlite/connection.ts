import type { SqliteDatabase, SqliteStatement, SqliteValue } from "./database.js";

/** How long another process may hold the write lock before a write fails, where the caller has set nothing. */
const BUSY_TIMEOUT_MS = 5_000;

/** How long to sleep between two attempts to turn WAL on, which SQLite itself does not wait for. */
const WAL_RETRY_MS = 10;

/** `PRAGMA synchronous`: at FULL, a commit is on the disk before it returns. */
const FULL = 2;

type Row = Readonly<Record<string, unknown>>;

/**
 * A connection with its statements prepared once.
 *
 * Rows are always fetched to the end: a statement that is left in the middle keeps its read lock, and libsql goes on
 * with it where a new one was meant.
 */
export class Connection {
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Runs statements without parameters. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  run(sql: string, ...values: SqliteValue[]): void {
    this.#statement(sql).run(...values);
  }

  all(sql: string, ...values: SqliteValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[]; // sound: no driver was told to give anything but objects
  }

  first(sql: string, ...values: SqliteValue[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /**
   * Runs `work` in a transaction: all of it is on the disk when this returns, or nothing is stored.
   *
   * @param begin `IMMEDIATE` takes the write lock first, so that nothing that `work` reads changes before it writes
   */
  transaction<T>(begin: "IMMEDIATE" | "DEFERRED", work: () => T): T {
    this.exec(`BEGIN ${begin}`);
    try {
      const result = work();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  /** After some errors SQLite has rolled back by itself, and there is no transaction to end. */
  #rollback(): void {
    try {
      this.exec("ROLLBACK");
    } catch {}
  }

  #statement(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * A connection on which a commit survives the end of the process and a loss of power: write-ahead log, each commit
 * synced. These settings stay on the caller's connection.
 */
export function connect(database: SqliteDatabase): Connection {
  const connection = new Connection(database);
  if (pragma(connection, "busy_timeout") === 0) connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  turnWalOn(connection);
  // Also where it reads FULL already: some builds of SQLite lower it in WAL unless it was set.
  if (Number(pragma(connection, "synchronous")) <= FULL) connection.exec("PRAGMA synchronous = FULL");
  return connection;
}

function turnWalOn(connection: Connection): void {
  const deadline = Date.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      pragma(connection, "journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_RETRY_MS);
    }
  }
}

/** Whether another connection has the lock. The drivers name the code differently; SQLite's own words are the same. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && error.message.includes("database is locked");
}

/** The value of a pragma: some name their column otherwise than themselves. */
function pragma(connection: Connection, text: string): unknown {
  const [value] = Object.values(connection.first(`PRAGMA ${text}`) ?? {});
  return typeof value === "bigint" ? Number(value) : value;
}
