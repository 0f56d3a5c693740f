import { describe, expect, it } from "vitest";
import { ConflictError } from "../../src/model/errors.js";
import { connect } from "../../src/sqlite/connection.js";
import type { SqliteDatabase } from "../../src/sqlite/database.js";
import { migrate } from "../../src/sqlite/migrate.js";
import { sqliteCounters, sqliteLedgerSink, sqliteStorage } from "../../src/sqlite.js";
import { put } from "../../src/testing/conformance/storage-records.js";
import { driverName, openDatabase, withFile } from "./drivers.js";

describe(`a connection to SQLite, on ${driverName}`, () => {
  it("syncs every commit of a write-ahead log, and waits for the lock", async () => {
    await withFile(async (path) => {
      const database = openDatabase(path);
      database.exec("PRAGMA synchronous = NORMAL"); // as some builds have it
      const connection = connect(database);
      connection.exec("CREATE TABLE t (x)");
      expect(Object.values(connection.first("PRAGMA journal_mode") ?? {})).toEqual(["wal"]);
      expect(Object.values(connection.first("PRAGMA synchronous") ?? {})).toEqual([2]);
      expect(Object.values(connection.first("PRAGMA busy_timeout") ?? {})).toEqual([5_000]);
      database.close();
    });
  });

  it("keeps what the caller has set to be safer or more patient", async () => {
    await withFile(async (path) => {
      const database = openDatabase(path);
      database.exec("PRAGMA synchronous = EXTRA; PRAGMA busy_timeout = 70");
      const connection = connect(database);
      expect(Object.values(connection.first("PRAGMA synchronous") ?? {})).toEqual([3]);
      expect(Object.values(connection.first("PRAGMA busy_timeout") ?? {})).toEqual([70]);
      database.close();
    });
  });

  it("takes each step of a migration once, and those of each part apart from the others", () => {
    const connection = connect(openDatabase());
    const steps = ["CREATE TABLE a (x); CREATE TABLE b (x)"];
    migrate(connection, "storage", steps);
    migrate(connection, "storage", steps);
    migrate(connection, "counters", ["CREATE TABLE c (x)"]);
    migrate(connection, "storage", [...steps, "ALTER TABLE a ADD COLUMN y"]);
    expect(connection.all("SELECT name FROM pragma_table_info('a')").map(({ name }) => name)).toEqual([
      "x",
      "y",
    ]);
    expect(Object.values(connection.first("PRAGMA user_version") ?? {})).toEqual([0]); // the caller's own
  });

  it("opens tables that are up to date while somebody else writes, whose lock it does not wait for", async () => {
    await withFile(async (path) => {
      const [first, second] = [openDatabase(path), openDatabase(path)];
      const acme = { id: "acme", orgId: "acme", version: 1, createdAt: 0 };
      const open = (database: SqliteDatabase) => {
        sqliteCounters({ database });
        sqliteLedgerSink({ database });
        return sqliteStorage({ database });
      };
      open(first);
      first.exec("BEGIN IMMEDIATE");
      second.exec("PRAGMA busy_timeout = 1");
      const storage = open(second);
      expect(await storage.get("org", "acme")).toBeUndefined();
      await expect(
        storage.commit([
          put("org", { ...acme, name: "Acme", status: "active", timeZone: "UTC", contentLogging: true }),
        ]),
      ).rejects.toThrow("locked");
      first.exec("COMMIT");
      for (const database of [first, second]) database.close();
    });
  });

  it("leaves nothing of a migration that fails, and refuses tables of a later version", () => {
    const connection = connect(openDatabase());
    expect(() => migrate(connection, "storage", ["CREATE TABLE a (x)", "CREATE TABLE a (x)"])).toThrow();
    expect(connection.all("SELECT name FROM sqlite_master WHERE name = 'a'")).toEqual([]);
    migrate(connection, "storage", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"]);
    const older = () => migrate(connection, "storage", ["CREATE TABLE a (x)"]);
    expect(older).toThrow(ConflictError);
    expect(older).toThrow(/version 2, this tollgate knows 1: .* Start that version, or restore a backup/);
  });
});
