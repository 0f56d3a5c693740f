import type { Pool } from "pg";
import { afterAll } from "vitest";
import { dropSchema, newSchema, serverAnswers, serverPool } from "../postgres/server.js";

/** A schema of this run's own in Postgres, dropped at the end; undefined where no server answers. */
export async function ownSchema(): Promise<{ readonly pool: Pool; readonly schema: string } | undefined> {
  if (!(await serverAnswers())) return undefined;
  const [pool, schema] = [serverPool(), newSchema()];
  afterAll(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });
  return { pool, schema };
}
