/**
 * The steps that create the tables of counters. A published step is never changed.
 *
 * Moments are REAL: a driver set to return every INTEGER as a bigint still returns these as numbers.
 */
export const COUNTERS_MIGRATIONS: readonly string[] = [
  `
-- The latest moment that a call was told: time never runs backwards for a count, in whichever process.
CREATE TABLE tollgate_clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  now REAL NOT NULL
) STRICT;
-- Everything that is counted for one scope, so that a call reads and writes once per scope.
CREATE TABLE tollgate_scope (
  scope_key TEXT PRIMARY KEY,
  counts TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tollgate_reservation (
  id TEXT PRIMARY KEY,
  expires_at REAL NOT NULL,
  idempotency_key TEXT UNIQUE,
  reservation TEXT NOT NULL
) STRICT;
CREATE INDEX tollgate_reservation_by_expiry ON tollgate_reservation (expires_at);
-- What became of the latest reservations, numbered as they were closed.
CREATE TABLE tollgate_closed_reservation (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  how TEXT NOT NULL
) STRICT;
`,
];
