import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqliteDatabase } from "../../src/sqlite/database.js";

/** A connection as all three drivers have it. */
export interface OpenDatabase extends SqliteDatabase {
  close(): void;
}

type DatabaseClass = new (path: string) => OpenDatabase;

const load = createRequire(import.meta.url);

const [name, Database] = driver();

/** The driver that the tests use. */
export const driverName = name;

/** Opens a database of its own in memory, or the file. */
export function openDatabase(path = ":memory:"): OpenDatabase {
  return new Database(path);
}

/** The path of a new database file, and what removes it. */
export function newFile(): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-sqlite-"));
  return {
    path: join(folder, "tollgate.db"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Runs `test` with the path of a new database file, which is removed afterwards. */
export async function withFile<T>(test: (path: string) => Promise<T>): Promise<T> {
  const { path, remove } = newFile();
  try {
    return await test(path);
  } finally {
    remove();
  }
}

/**
 * better-sqlite3 where `TOLLGATE_BETTER_SQLITE3` names the folder of an installed one, else the runtime's own
 * node:sqlite, else libsql, which has better-sqlite3's interface and ships its binary.
 */
function driver(): [name: string, database: DatabaseClass] {
  const betterSqlite3 = process.env.TOLLGATE_BETTER_SQLITE3;
  if (betterSqlite3 !== undefined) return ["better-sqlite3", load(betterSqlite3)];
  try {
    return ["node:sqlite", load("node:sqlite").DatabaseSync];
  } catch {
    return ["libsql", load("libsql")];
  }
}
