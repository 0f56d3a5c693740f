import type { SqliteDatabase } from "../../src/sqlite/database.js";

// Checked by the compiler alone: `npm run types`.

/** A statement as `@types/better-sqlite3` has it. */
interface Statement<Parameters extends unknown[]> {
  run(...params: Parameters): { readonly changes: number };
  all(...params: Parameters): unknown[];
}

/** What TypeScript before 6 makes of that package's `prepare`, whose type depends on a parameter of its own. */
declare const betterSqlite3: {
  exec(source: string): unknown;
  prepare(source: string): Statement<unknown[]> | Statement<[NonNullable<unknown>]>;
};

betterSqlite3 satisfies SqliteDatabase;
