import { Pool } from "pg";

const DATABASE_URL = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

/** As the guide to production has it, and the same for every contender. */
const CONNECTIONS = 16;

/** When a commit is answered: once it is on the disk, or before. */
export type Durability = "on" | "off";

/** A pool that counts what is sent through it. */
export interface CountingPool extends Pool {
  statements: number;
}

export function poolWith(durability: Durability): CountingPool {
  const pool = new Pool({
    connectionString: DATABASE_URL,
    max: CONNECTIONS,
    application_name: "tollgate bench",
    options: `-c synchronous_commit=${durability}`,
  });
  const query = pool.query.bind(pool);
  const counting = Object.assign(pool, { statements: 0 });
  // Sound: every argument goes on as it came.
  counting.query = ((...given: Parameters<typeof query>) => {
    counting.statements++;
    return query(...given);
  }) as typeof pool.query;
  return counting;
}

/** A schema of a contender's own, in the database that all of them share. */
export function schemaOf(contender: string): string {
  return `tollgate_bench_${process.pid}_${contender}`;
}

export async function drop(pool: Pool, schema: string): Promise<void> {
  await pool.query("SET client_min_messages = error");
  await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
}

/** What the server is, or why none can be used. */
export async function serverInfo(): Promise<{ readonly version?: string; readonly why?: string }> {
  const pool = new Pool({ connectionString: DATABASE_URL, max: 1, connectionTimeoutMillis: 2_000 });
  pool.on("error", () => {}); // told by the query as well
  try {
    const { rows } = await pool.query("SHOW server_version");
    return { version: String(rows[0]?.server_version) };
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }; // sound: only looked at
    return { why: code ?? message ?? "no reason given" };
  } finally {
    await pool.end();
  }
}
