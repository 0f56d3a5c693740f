import { type Counters, memoryCounters, memoryStorage, type Storage } from "tollgate";
import { sqliteCounters, sqliteStorage } from "tollgate/sqlite";
import { makePostgresCounters } from "../counters/postgres/server.js";
import { makeRedisCounters } from "../counters/redis/server.js";
import { driverName, openDatabase } from "../sqlite/drivers.js";

/** Makes counters of one kind, empty. They go by the caller's clock, so that a test can move it. */
export type MakeCounters = () => Counters;

/**
 * Every counters adapter that scenarios about counting are run on, by name; those of a server
 * only where it answers. What they use there goes with the test file that asks.
 */
export async function counterAdapters(): Promise<readonly (readonly [name: string, make: MakeCounters])[]> {
  const redis = await makeRedisCounters();
  const postgres = await makePostgresCounters();
  return [
    ["memory", () => memoryCounters()],
    [`SQLite on ${driverName}`, () => sqliteCounters({ database: openDatabase() })],
    ...(redis ? [["Redis", redis] as const] : []),
    ...(postgres ? [["Postgres", postgres] as const] : []),
  ];
}

/** Whether a call takes milliseconds: scenarios of thousands of calls leave such counters out, or make fewer runs of them. */
export function isSlow(name: string): boolean {
  return name === "Postgres";
}

/** Makes a storage of one kind, empty. */
export type MakeStorage = () => Storage | Promise<Storage>;

/** Every storage adapter that the conformance suite is run on, by name. */
export function storageAdapters(): readonly (readonly [name: string, make: MakeStorage])[] {
  return [
    ["memory", () => memoryStorage()],
    [`SQLite on ${driverName}`, () => sqliteStorage({ database: openDatabase() })],
  ];
}
