import { Redis } from "ioredis";
import { Client, Pool } from "pg";
import { type Counters, createLedger, type Ledger, type Storage } from "tollgate";
import { postgresCounters, postgresLedgerSink, postgresStorage } from "tollgate/postgres";
import { redisCounters } from "tollgate/redis";

/** The number of connections that one process keeps open to Postgres. */
const CONNECTIONS = 12;

/** How long a statement may take: well above `countersTimeoutMs`, so that the gate gives up first. */
const STATEMENT_TIMEOUT_MS = 5_000;

/** Where a gate keeps its records, counts and events. What is left out is kept in memory. */
export interface Stores {
  readonly storage?: Storage;
  readonly counters?: Counters;
  readonly ledger?: Ledger;
  /** Ends the connections. Call it after `gate.close()`. */
  close(): Promise<void>;
}

/**
 * Opens the stores that the environment names, and brings their tables up to date:
 *
 * - `DATABASE_URL`: records and the ledger in Postgres, and counts too without `REDIS_URL`. It may go through a pooler.
 * - `DATABASE_DIRECT_URL`: the same database past the pooler, to listen for the changes of other processes.
 * - `REDIS_URL`: counts in Redis or Valkey.
 *
 * @throws whatever a client throws if its server does not answer: a gateway that cannot count does not start
 */
export async function storesFrom(env: NodeJS.ProcessEnv): Promise<Stores> {
  const redis = env.REDIS_URL === undefined ? undefined : await redisFrom(env.REDIS_URL);
  const inRedis = redis && { counters: redisCounters({ client: redis }) };
  const closeRedis = () => redis?.disconnect();
  if (env.DATABASE_URL === undefined) return { ...inRedis, close: async () => closeRedis() };

  const pool = poolFrom(env.DATABASE_URL);
  const direct = env.DATABASE_DIRECT_URL;
  const storage = postgresStorage({ pool, ...(direct !== undefined && { listen: () => connected(direct) }) });
  const counters = postgresCounters({ pool });
  const sink = postgresLedgerSink({ pool });
  // One after the other. Processes that start together wait for each other; the later ones find the work done.
  for (const part of [storage, counters, sink]) await part.migrate();
  return {
    storage,
    counters,
    ...inRedis,
    ledger: createLedger({ sink }),
    async close() {
      await storage.close();
      await pool.end();
      closeRedis();
    },
  };
}

/** A client whose calls fail at once while there is no connection, instead of keeping the caller waiting. */
async function redisFrom(url: string): Promise<Redis> {
  const client = new Redis(url, { lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  client.on("error", (error) => console.error("Redis:", error.message));
  await client.connect();
  return client;
}

function poolFrom(connectionString: string): Pool {
  const pool = new Pool({
    connectionString,
    max: CONNECTIONS,
    idleTimeoutMillis: 600_000, // a session makes its query plans once, so keep sessions open
    connectionTimeoutMillis: 2_000,
    query_timeout: STATEMENT_TIMEOUT_MS,
  });
  pool.on("error", (error) => console.error("Postgres:", error.message));
  return pool;
}

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}
