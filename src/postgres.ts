export {
  type PostgresCounters,
  type PostgresCountersOptions,
  postgresCounters,
  postgresCountersSql,
} from "./counters/postgres/counters.js";
export {
  type PostgresLedgerSink,
  postgresLedgerSink,
  postgresLedgerSql,
} from "./ledger/postgres-sink.js";
export type { PostgresClient, PostgresOptions, PostgresPool } from "./postgres/pool.js";
export {
  type PostgresStorage,
  type PostgresStorageOptions,
  postgresStorage,
  postgresStorageSql,
} from "./storage/postgres/storage.js";
