import { ConflictError } from "../model/errors.js";
import type { Connection } from "./connection.js";

/**
 * Brings the tables of one part to what this version needs. Each step is taken once, by whichever process comes first.
 *
 * The steps taken are recorded in a table rather than in `PRAGMA user_version`: the file is the caller's, who may count
 * steps of their own there, and the parts advance separately.
 *
 * @param steps SQL that is never changed once published; a change is a further step
 * @throws ConflictError if a later version of the package has migrated the file
 */
export function migrate(
  connection: Connection,
  part: "storage" | "counters" | "ledger",
  steps: readonly string[],
): void {
  // Without the write lock: somebody may hold it for longer than a process that starts can wait.
  if (versionOf(connection, part) === steps.length) return;
  connection.transaction("IMMEDIATE", () => {
    connection.exec(
      "CREATE TABLE IF NOT EXISTS tollgate_migration (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    );
    const version = versionOf(connection, part);
    if (version > steps.length) {
      throw new ConflictError(
        `the ${part} tables are at version ${version}, this tollgate knows ${steps.length}: a later version has migrated ` +
          "the file. Start that version, or restore a backup from before",
      );
    }
    if (version === steps.length) return;
    for (const step of steps.slice(version)) connection.exec(step);
    connection.run(
      "INSERT OR REPLACE INTO tollgate_migration (part, version) VALUES (?, ?)",
      part,
      steps.length,
    );
  });
}

/** How many steps were taken. */
function versionOf(connection: Connection, part: string): number {
  const table = connection.first("SELECT 1 FROM sqlite_master WHERE name = 'tollgate_migration'");
  if (table === undefined) return 0;
  return Number(
    connection.first("SELECT version FROM tollgate_migration WHERE part = ?", part)?.version ?? 0,
  );
}
