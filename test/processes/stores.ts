import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import pg from "pg";
import type { Counters } from "tollgate";
import { postgresCounters, postgresStorage } from "tollgate/postgres";
import { redisCounters } from "tollgate/redis";
import { DATABASE_URL, REDIS_URL } from "../services.js";

/** A store that several processes share, and how a process gets at it. */
export type StoreName = "Redis" | "Postgres";

/** A name for what one run keeps in a store: a key prefix, a schema. */
export function ownName(): string {
  return `tollgate_test_${randomUUID().replaceAll("-", "")}`;
}

export interface Connected {
  readonly counters: Counters;
  close(): Promise<void>;
}

/** Counters over a connection of this process's own. */
export async function connect(store: StoreName, name: string): Promise<Connected> {
  if (store === "Redis") {
    const client = new Redis(REDIS_URL, { lazyConnect: true });
    await client.connect();
    return {
      counters: redisCounters({ client, prefix: name }),
      close: async () => client.disconnect(),
    };
  }
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
  const counters = postgresCounters({ pool, schema: name, reserveWaitMs: 60_000 });
  await counters.migrate();
  return { counters, close: () => pool.end() };
}

/** Removes what a run has left. */
export async function cleanUp(store: StoreName, name: string): Promise<void> {
  if (store === "Redis") {
    const client = new Redis(REDIS_URL);
    for await (const keys of client.scanStream({ match: `${name}*`, count: 1_000 })) {
      if (keys.length > 0) await client.unlink(keys);
    }
    client.disconnect();
    return;
  }
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  await client.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`);
  await client.end();
}

/** Records over a pool of this process's own. */
export async function connectStorage(name: string) {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
  const storage = postgresStorage({ pool, schema: name });
  await storage.migrate();
  return { storage, close: () => pool.end() };
}
