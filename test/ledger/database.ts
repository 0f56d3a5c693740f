import pg from "pg";
import { afterAll } from "vitest";
import { DATABASE_URL, serviceAnswers } from "../services.js";

/** A schema of this run's own in PostgreSQL, dropped at the end; undefined where no server answers. */
export async function ownSchema(): Promise<{ readonly pool: pg.Pool; readonly schema: string } | undefined> {
  const schema = `ledger_${process.pid}_${Math.random().toString(36).slice(2)}`;
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
  const answers = await serviceAnswers("PostgreSQL", () => pool.query("select 1"));
  afterAll(async () => {
    if (answers) await pool.query(`drop schema if exists "${schema}" cascade`);
    await pool.end();
  });
  return answers ? { pool, schema } : undefined;
}
