export { type SqliteCountersOptions, sqliteCounters } from "./counters/sqlite/counters.js";
export { type SqliteLedgerOptions, sqliteLedgerSink } from "./ledger/sqlite-sink.js";
export type { SqliteDatabase, SqliteStatement, SqliteValue } from "./sqlite/database.js";
export { type SqliteStorageOptions, sqliteStorage } from "./storage/sqlite/storage.js";
