import type { Reading } from "../../admission/charge.js";
import { CountersUnavailableError } from "../../model/errors.js";
import { connect } from "../../sqlite/connection.js";
import { databaseOf, type SqliteDatabase } from "../../sqlite/database.js";
import { migrate } from "../../sqlite/migrate.js";
import type {
  Counters,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../counters.js";
import type { Counting } from "../counting.js";
import { COUNTERS_MIGRATIONS } from "./migrations.js";
import { Transactions } from "./transactions.js";

/** The most calls that share a transaction, so that other processes get their turn. */
const CALLS_PER_COMMIT_MAX = 500;

/** Options of {@link sqliteCounters}. */
export interface SqliteCountersOptions {
  /**
   * A connection of node:sqlite (Node 22.13 or later) or better-sqlite3. A storage may share it. It stays the caller's:
   * `close` leaves it open.
   *
   * It is set to write-ahead logging with `synchronous = FULL`. Do not leave a transaction open on it across an
   * `await`.
   */
  readonly database: SqliteDatabase;
}

/**
 * Makes counters in an SQLite file, which processes on one machine may share. What was admitted and answered stays
 * charged even after `kill -9` or a power failure. It creates its tables (`tollgate_…`) if they are missing.
 *
 * Calls that arrive together share one commit, and each is answered after it.
 *
 * @throws ValidationError naming the option that is wrong
 * @throws ConflictError if a later version of the package has migrated the file
 * @throws what the driver throws if the file cannot be opened for writing
 */
export function sqliteCounters(options: SqliteCountersOptions): Counters {
  const connection = connect(databaseOf(options));
  migrate(connection, "counters", COUNTERS_MIGRATIONS);
  return new SqliteCounters(new Transactions(connection));
}

/** A call that waits for its commit. */
interface Waiting {
  readonly writes: boolean;
  run(counting: Counting): () => void;
  reject(error: unknown): void;
}

class SqliteCounters implements Counters {
  readonly #transactions: Transactions;
  #waiting: Waiting[] = [];
  #closed = false;

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  reserve(request: ReserveRequest): Promise<ReserveOutcome> {
    return this.#enqueue(true, (counting) => counting.reserve(request));
  }

  settle(request: SettleRequest): Promise<SettleOutcome> {
    return this.#enqueue(true, (counting) => counting.settle(request));
  }

  read(query: ReadQuery): Promise<Reading[]> {
    return this.#enqueue(false, (counting) => counting.read(query));
  }

  /** Answers what is waiting. The connection stays open: it is the caller's. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#waiting.length > 0) this.#commit();
  }

  /** Everything that arrives before the event loop comes round shares one commit. */
  #enqueue<T>(writes: boolean, ask: (counting: Counting) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new CountersUnavailableError("the counters are closed"));
    return new Promise((resolve, reject) => {
      const run = (counting: Counting) => {
        const answer = ask(counting);
        return () => resolve(answer);
      };
      this.#waiting.push({ writes, run, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#commit());
    });
  }

  /** Answers the calls that have waited longest, after their commit. */
  #commit(): void {
    const calls = this.#waiting.splice(0, CALLS_PER_COMMIT_MAX);
    if (calls.length === 0) return;
    if (this.#waiting.length > 0) setImmediate(() => this.#commit());
    this.#answer(calls);
  }

  #answer(calls: readonly Waiting[]): void {
    const writes = calls.some((call) => call.writes);
    let failed: Waiting | undefined;
    try {
      const answers = this.#transactions.run(writes, (counting) =>
        calls.map((call) => {
          failed = call;
          const answer = call.run(counting);
          failed = undefined;
          return answer;
        }),
      );
      for (const answer of answers) answer();
    } catch (error) {
      // One call threw, and the transaction was rolled back. The others are done again without it.
      if (failed === undefined) for (const call of calls) call.reject(error);
      else {
        failed.reject(error);
        const others = calls.filter((call) => call !== failed);
        if (others.length > 0) this.#answer(others);
      }
    }
  }
}
