import { type Counters, memoryStorage, type Storage } from "tollgate";
import { postgresCounters, postgresStorage } from "tollgate/postgres";
import { redisCounters } from "tollgate/redis";
import { sqliteCounters, sqliteStorage } from "tollgate/sqlite";
import {
  ioredisClient,
  keysOf,
  nodeRedisClient,
  ownPrefix,
  redisAnswers,
  removeKeys,
} from "../counters/redis/server.js";
import { dropSchema, newSchema, PATIENT, serverAnswers, serverPool } from "../postgres/server.js";
import { driverName, newFile, openDatabase } from "../sqlite/drivers.js";

/** Counts that several processes share, none yet. */
export interface SharedCounters {
  /** Counters over a connection of their own, as another process has them. */
  connect(): Counters;
  /** Loses every count that there is, and answers how many rows or keys those were. */
  lose(): Promise<number>;
  /** Removes all that was made, and ends every connection. */
  remove(): Promise<void>;
}

/** Records that several processes share, none yet. */
export interface SharedRecords {
  /** A storage over a connection of its own, as another process has it. */
  connect(): Storage;
  remove(): Promise<void>;
}

type Make<T> = () => Promise<T>;

/** Every counters adapter that processes can share; those of a server only where it answers. */
export async function sharedCounters(): Promise<readonly (readonly [name: string, Make<SharedCounters>])[]> {
  return [
    [SQLITE, countersInFile],
    ...((await redisAnswers()) ? [["Redis", countersInRedis] as const] : []),
    ...((await serverAnswers()) ? [["Postgres", countersInPostgres] as const] : []),
  ];
}

/** Every storage adapter: gates of one process share that in memory. */
export async function sharedRecords(): Promise<readonly (readonly [name: string, Make<SharedRecords>])[]> {
  return [
    ["memory", recordsInMemory],
    [SQLITE, recordsInFile],
    ...((await serverAnswers()) ? [["Postgres", recordsInPostgres] as const] : []),
  ];
}

const SQLITE = `SQLite on ${driverName}`;

/** Connections to one new file of SQLite. */
function file() {
  const { path, remove } = newFile();
  const opened: ReturnType<typeof openDatabase>[] = [];
  return {
    open() {
      const database = openDatabase(path);
      opened.push(database);
      return database;
    },
    async remove() {
      for (const database of opened) database.close();
      remove();
    },
  };
}

async function countersInFile(): Promise<SharedCounters> {
  const { open, remove } = file();
  return {
    connect: () => sqliteCounters({ database: open() }),
    async lose() {
      const database = open();
      const lost = database.prepare("SELECT scope_key FROM tollgate_scope").all().length;
      database.exec("DELETE FROM tollgate_scope; DELETE FROM tollgate_reservation");
      return lost;
    },
    remove,
  };
}

async function countersInRedis(): Promise<SharedCounters> {
  const prefix = ownPrefix();
  const [first, second] = [ioredisClient(), await nodeRedisClient()];
  let connected = 0;
  return {
    connect: () => redisCounters({ client: connected++ % 2 === 0 ? first : second, prefix }),
    async lose() {
      const lost = await keysOf(first, prefix);
      return lost.length === 0 ? 0 : first.unlink(...lost);
    },
    async remove() {
      await removeKeys(first, prefix);
      first.disconnect();
      second.destroy();
    },
  };
}

/** Pools of connections to one new schema. */
function schemaOfItsOwn() {
  const schema = newSchema();
  const main = serverPool(2);
  const pools = [main];
  return {
    schema,
    main,
    pool() {
      const pool = serverPool(2);
      pools.push(pool);
      return pool;
    },
    async remove() {
      await dropSchema(main, schema);
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

async function countersInPostgres(): Promise<SharedCounters> {
  const { schema, main, pool, remove } = schemaOfItsOwn();
  await postgresCounters({ pool: main, schema }).migrate();
  return {
    connect: () => postgresCounters({ pool: pool(), schema, ...PATIENT }),
    async lose() {
      await main.query(`DELETE FROM "${schema}".reservation`);
      return (await main.query(`DELETE FROM "${schema}".counts`)).rowCount ?? 0;
    },
    remove,
  };
}

async function recordsInMemory(): Promise<SharedRecords> {
  const storage = memoryStorage();
  return { connect: () => storage, remove: () => storage.close() };
}

async function recordsInFile(): Promise<SharedRecords> {
  const { open, remove } = file();
  return { connect: () => sqliteStorage({ database: open() }), remove };
}

async function recordsInPostgres(): Promise<SharedRecords> {
  const { schema, main, pool, remove } = schemaOfItsOwn();
  await postgresStorage({ pool: main, schema }).migrate();
  return { connect: () => postgresStorage({ pool: pool(), schema }), remove };
}
