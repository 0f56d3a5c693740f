import { randomBytes } from "node:crypto";
import { PGlite } from "@electric-sql/pglite";
import { Pool } from "pg";
import type { PostgresPool } from "../../src/postgres/pool.js";
import { DATABASE_URL, serviceAnswers } from "../services.js";

/** A database in this process; schemas keep tests apart. */
export const pglite = await PGlite.create();

/** A schema that nobody else has. */
export function newSchema(): string {
  return `tollgate_test_${randomBytes(6).toString("hex")}`;
}

/** A pool of connections to the server. */
export function serverPool(max = 4): Pool {
  const pool = new Pool({
    connectionString: DATABASE_URL,
    max,
    application_name: "tollgate test",
    options: "-c synchronous_commit=off",
  });
  pool.on("error", () => {}); // connections that tests end
  return pool;
}

export const postgresAnswers = await serviceAnswers("Postgres", async () => {
  const pool = new Pool({ connectionString: DATABASE_URL, connectionTimeoutMillis: 2_000 });
  try {
    await pool.query("SELECT 1");
  } finally {
    await pool.end();
  }
});

/** Every database that the adapters are tested on: what opens it, and what ends it again. */
export const databases: readonly (readonly [
  name: string,
  open: () => { readonly pool: PostgresPool; end(): Promise<void> },
])[] = [
  ["PGlite", () => ({ pool: pglite, end: async () => {} })],
  ...(postgresAnswers
    ? [
        [
          "Postgres",
          () => {
            const pool = serverPool();
            return { pool, end: () => pool.end() };
          },
        ] as const,
      ]
    : []),
];

export async function dropSchema(pool: PostgresPool, schema: string): Promise<void> {
  await pool.query(`SET client_min_messages = error`);
  await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}
