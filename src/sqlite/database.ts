import * as z from "zod";
import { parse } from "../model/validation.js";

/** What is bound to a `?` of a statement. */
export type SqliteValue = string | number | null;

/**
 * The part of a prepared statement that node:sqlite and better-sqlite3 have in common, as far as it is used. Nothing but
 * a {@link SqliteValue} is bound; TypeScript before 6 reads of better-sqlite3's types that it binds no null.
 */
export interface SqliteStatement {
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
}

/** A connection of the caller's: a `DatabaseSync` of node:sqlite (Node 22.13 and later) or one of better-sqlite3. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

const optionsSchema = z.strictObject({
  database: z.custom<SqliteDatabase>(isDatabase, {
    error: "a DatabaseSync of node:sqlite or a Database of better-sqlite3",
  }),
});

/**
 * The connection of an adapter's options.
 *
 * @throws ValidationError for what is no connection, and for options that there are not
 */
export function databaseOf(options: { readonly database: SqliteDatabase }): SqliteDatabase {
  return parse(optionsSchema, options ?? {}, "options").database;
}

function isDatabase(database: unknown): boolean {
  const { exec, prepare } = Object(database);
  return typeof exec === "function" && typeof prepare === "function";
}
