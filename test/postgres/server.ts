import { randomBytes } from "node:crypto";
import { Pool } from "pg";
import type { PostgresPool } from "../../src/postgres/pool.js";
import { DATABASE_URL, serviceAnswers } from "../services.js";

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

/** Whether a Postgres can be used; asked once for each suite. */
export function serverAnswers(): Promise<boolean> {
  return serviceAnswers("Postgres", async () => {
    const pool = new Pool({ connectionString: DATABASE_URL, connectionTimeoutMillis: 2_000 });
    try {
      await pool.query("SELECT 1");
    } finally {
      await pool.end();
    }
  });
}

export async function dropSchema(pool: PostgresPool, schema: string): Promise<void> {
  await pool.query(`SET client_min_messages = error`);
  await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

/** For counters whose calls wait for each other as long as a busy machine takes. */
export const PATIENT = { reserveWaitMs: 60_000 } as const;
