import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { SqliteDatabase } from "tollgate/sqlite";

type DatabaseClass = new (path: string) => SqliteDatabase & { close(): void };

const load = createRequire(import.meta.url);

/** better-sqlite3 where it is installed, else the runtime's own node:sqlite, else libsql, which has better-sqlite3's interface. */
export function driver(): readonly [name: string, database: DatabaseClass] {
  for (const name of ["better-sqlite3", "node:sqlite", "libsql"]) {
    try {
      const found = load(name);
      return [name, name === "node:sqlite" ? found.DatabaseSync : found];
    } catch {}
  }
  throw new Error("no driver of SQLite");
}

/** A new file beside this one, which is on a disk where `/tmp` may not be. */
export function openFile() {
  const [name, Database] = driver();
  const folder = mkdtempSync(fileURLToPath(new URL("./file-", import.meta.url)));
  const database = new Database(`${folder}/bench.db`);
  return {
    name,
    database,
    close() {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
