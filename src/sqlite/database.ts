import * as z from "zod";
import { parse } from "../model/validation.js";

/** A value bound to a `?` of a statement. */
export type SqliteValue = string | number | null;

/**
 * The part of a prepared statement that node:sqlite and better-sqlite3 have in common. Only a {@link SqliteValue} is
 * ever bound. (TypeScript before 6 infers from better-sqlite3's types that `null` cannot be bound, hence `unknown`.)
 */
export interface SqliteStatement {
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
}

/** A connection: a `DatabaseSync` of node:sqlite (Node 22.13 or later) or a `Database` of better-sqlite3. */
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
 * The connection in an adapter's options.
 *
 * @throws ValidationError if it is not a connection, or for an unknown option
 */
export function databaseOf(options: { readonly database: SqliteDatabase }): SqliteDatabase {
  return parse(optionsSchema, options ?? {}, "options").database;
}

function isDatabase(database: unknown): boolean {
  const { exec, prepare } = Object(database);
  return typeof exec === "function" && typeof prepare === "function";
}
