import { setTimeout } from "node:timers/promises";
import * as z from "zod";
import { schemaSchema } from "./schema.js";

/** A row as a driver returns it: values by column name. */
export type PostgresRow = Readonly<Record<string, unknown>>;

/**
 * What the adapters need of a database: one statement at a time, with `$1`, `$2`, … for its values. A `Pool` of `pg`
 * and a PGlite fit as they are. It stays the caller's: no adapter closes it.
 */
export interface PostgresPool {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
  /** Takes a connection for exclusive use, like a `pg` Pool. */
  connect?(): Promise<PostgresClient>;
  /** Listens on a channel, like PGlite. The returned function stops listening. */
  listen?(channel: string, told: (payload: string) => void): Promise<(...args: never[]) => Promise<void>>;
}

/** One connection that can listen, such as a connected `Client` of `pg` or a client from its Pool. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<unknown>;
  on(
    event: "notification",
    told: (message: { channel: string; payload?: string | undefined }) => void,
  ): unknown;
  on(event: "error" | "end", told: (error?: Error) => void): unknown;
  /** Returns a connection to its pool; `true` closes it. */
  release?(end: boolean): void;
  end?(): Promise<void>;
}

/** Where the tables are. */
export interface PostgresOptions {
  /** A `Pool` of `pg`, a PGlite, or anything with their `query(text, values)`. */
  readonly pool: PostgresPool;
  /**
   * The schema of the tables and functions: 1 to 63 lower-case letters, digits and `_`, not beginning with a digit.
   * Default: `tollgate`.
   */
  readonly schema?: string | undefined;
}

/** How often a statement is tried that loses against another. Each time, the other one got ahead. */
const ATTEMPTS_MAX = 20;

/** The longest wait before such a retry, in milliseconds. */
const WAIT_MAX_MS = 50;

/** Serialization failure and deadlock: nothing was changed, and the same statement may succeed now. */
export const LOST_AGAINST_ANOTHER: ReadonlySet<string> = new Set(["40001", "40P01"]);

/**
 * The first column of each row that a statement returns. It is retried if it fails with one of `codes`, because it lost
 * against another.
 */
export async function answersOfStatement(
  pool: PostgresPool,
  text: string,
  values: unknown[],
  codes = LOST_AGAINST_ANOTHER,
): Promise<unknown[]> {
  for (let attempts = 1; ; attempts++) {
    try {
      const { rows } = await pool.query(text, values);
      return rows.map((row) => Object.values(row as PostgresRow)[0]); // sound: a row is an object by the names of its columns
    } catch (error) {
      if (attempts === ATTEMPTS_MAX || !codes.has(codeOf(error) ?? "")) throw error;
      // Those that lose together would otherwise retry together.
      if (attempts > 2) await setTimeout(Math.random() * Math.min(WAIT_MAX_MS, 2 ** attempts));
    }
  }
}

/** Undefined table, undefined function, undefined schema. */
const NOT_THERE = new Set(["42P01", "42883", "3F000"]);

/** The advice for an error that means nobody has called `migrate`, or `undefined` for any other error. */
export function notMigrated(error: unknown, adapter: string): string | undefined {
  if (!NOT_THERE.has(codeOf(error) ?? "")) return undefined;
  return `its tables are not in the database: call migrate() of ${adapter} before the first call, or run the SQL that it runs`;
}

/** The options that every adapter has. */
export const postgresOptions = {
  pool: z.custom<PostgresPool>((pool) => typeof Object(pool).query === "function", {
    error: "a Pool of pg, a PGlite, or an object with query",
  }),
  schema: schemaSchema.optional(),
};

/** The SQLSTATE of an error of the database. */
export function codeOf(error: unknown): string | undefined {
  return textOf(error, "code");
}

/** The classes of errors that concern the values of a statement: data, integrity, and program limits. */
const ABOUT_VALUES = /^(?:22|23|54)[0-9A-Z]{3}$/;

/**
 * Whether the database refused a statement because of its values and so changed nothing. Not every other error implies
 * that.
 */
export function isAboutValues(error: unknown): boolean {
  return ABOUT_VALUES.test(codeOf(error) ?? "");
}

/** The constraint that an error of the database is about. */
export function constraintOf(error: unknown): string | undefined {
  return textOf(error, "constraint");
}

function textOf(error: unknown, property: string): string | undefined {
  const value: unknown =
    typeof error === "object" && error !== null ? Reflect.get(error, property) : undefined;
  return typeof value === "string" ? value : undefined;
}
