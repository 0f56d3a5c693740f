import { once } from "node:events";
import { Redis } from "ioredis";
import { Pool } from "pg";
import type { Counters } from "tollgate";
import { postgresCounters } from "tollgate/postgres";
import * as redis from "../counters/redis/own-server.js";
import { countersOver, ioredisClient } from "../counters/redis/server.js";
import * as postgres from "../postgres/own-server.js";
import { newSchema } from "../postgres/server.js";

/** A store of counts with a server of its own that tests may kill, stop and start again. It loses nothing by that. */
export interface OwnStore {
  readonly server: {
    start(): Promise<void>;
    kill(): Promise<void>;
    hang(): void | Promise<void>;
    goOn(): void;
  };
  /**
   * Counters, none yet, over a client that says at once what it cannot send, as it should be in production, or one that
   * keeps it.
   */
  connect(client?: "hasty" | "patient"): Promise<Counters>;
  remove(): Promise<void>;
}

/** Every store that has a server, and whether that can be started here. */
export async function ownStores() {
  return [
    { name: "Redis", isThere: await redis.serversCanBeStarted(), make: inRedis },
    { name: "Postgres", isThere: await postgres.serversCanBeStarted(), make: inPostgres },
  ] as const;
}

async function inRedis(): Promise<OwnStore> {
  const server = await redis.OwnServer.start("--appendonly", "yes", "--appendfsync", "always", "--save", "");
  const clients: Redis[] = [];
  return {
    server,
    async connect(client = "hasty") {
      const made =
        client === "patient"
          ? ioredisClient(server.url)
          : new Redis(server.url, { enableOfflineQueue: false });
      made.on("error", () => {}); // the calls say it
      clients.push(made);
      await once(made, "ready");
      return countersOver(made);
    },
    async remove() {
      for (const client of clients) client.disconnect();
      await server.remove();
    },
  };
}

async function inPostgres(): Promise<OwnStore> {
  const server = await postgres.OwnServer.start();
  const pools: Pool[] = [];
  const connect = async () => {
    const pool = new Pool({ connectionString: server.url, max: 4 });
    pool.on("error", () => {}); // the calls say it
    pools.push(pool);
    const made = postgresCounters({ pool, schema: newSchema() });
    await made.migrate();
    return made;
  };
  return {
    server,
    connect,
    async remove() {
      for (const pool of pools) await pool.end();
      await server.remove();
    },
  };
}
