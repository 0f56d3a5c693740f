import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { countersMigrations } from "../../src/counters/postgres/migrations.js";
import { COUNTERS_MIGRATIONS } from "../../src/counters/sqlite/migrations.js";
import { ledgerMigrations } from "../../src/ledger/postgres-sink.js";
import { LEDGER_MIGRATIONS } from "../../src/ledger/sqlite-sink.js";
import { storageMigrations } from "../../src/storage/postgres/migrations.js";
import { STORAGE_MIGRATIONS } from "../../src/storage/sqlite/migrations.js";

/**
 * The migrations of each part in order, by the beginning of the SHA-256 hash of their SQL. A line that is in a release
 * is never changed: another one is added.
 */
const PINNED = {
  "Postgres storage": ["ab098028b86a90f3", "e39b0d186b09dd18"],
  "Postgres counters": ["2b0580ba1a9ec70b"],
  "Postgres ledger": ["5edcc52bb71a5a6d"],
  "SQLite storage": ["03af8a26185a646d", "77f9d29cf6913495", "f17b7d13ead34fe4", "aae8b17365c70947"],
  "SQLite counters": ["7e9581107776ed40"],
  "SQLite ledger": ["94b3f015d8421b89", "f8c8534f59c23027", "56d60b2a838058d4"],
} as const;

const PRESENT: { readonly [Part in keyof typeof PINNED]: readonly string[] } = {
  "Postgres storage": inOrder(storageMigrations("tollgate")),
  "Postgres counters": inOrder(countersMigrations("tollgate")),
  "Postgres ledger": inOrder(ledgerMigrations("tollgate")),
  "SQLite storage": STORAGE_MIGRATIONS,
  "SQLite counters": COUNTERS_MIGRATIONS,
  "SQLite ledger": LEDGER_MIGRATIONS,
};

// Much of the SQL is made of tables and constants in the code (`INDEXES`, `COLUMNS`, `STATUS`), so an edit far away
// changes it too.
describe("migrations of", () => {
  it.each(Object.keys(PINNED) as (keyof typeof PINNED)[])("%s are those that were published", (part) => {
    const pinned: readonly string[] = PINNED[part];
    const present = PRESENT[part].map((sql) => hash("sha256", sql).slice(0, 16));
    for (let version = 1; version <= Math.max(pinned.length, present.length); version++) {
      expect(
        present[version - 1],
        `The SQL of version ${version} of ${part} is not what it was. Databases that have that version never run it ` +
          "again, so they would differ from new ones. Leave it as it is and add a migration. Only where no release has " +
          "this version yet, put its new hash here.",
      ).toBe(pinned[version - 1]);
    }
  });
});

function inOrder(migrations: readonly { readonly version: number; readonly sql: string }[]): string[] {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, i) => i + 1));
  return migrations.map(({ sql }) => sql);
}
