import { ValidationError } from "../model/errors.js";

/** What is bound to a `?` of a statement. */
export type SqliteValue = string | number | null;

/** The part of a prepared statement that node:sqlite and better-sqlite3 have in common, as far as it is used. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
}

/** A connection of the caller's: a `DatabaseSync` of node:sqlite (Node 22.13 and later) or one of better-sqlite3. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** @throws ValidationError for what is no connection */
export function checkDatabase(database: unknown): asserts database is SqliteDatabase {
  const { exec, prepare } = (database ?? {}) as Partial<SqliteDatabase>; // sound: both are looked at before they are used
  if (typeof exec === "function" && typeof prepare === "function") return;
  const expected = "a DatabaseSync of node:sqlite or a Database of better-sqlite3";
  throw new ValidationError([{ field: "database", expected }]);
}
