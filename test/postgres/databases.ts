import type { PGlite } from "@electric-sql/pglite";
import type { PostgresPool } from "../../src/postgres/pool.js";
import { serverAnswers, serverPool } from "./server.js";

/** A database that the adapters are tested on. */
export type Database = readonly [name: string, open: () => Promise<Opened>];

interface Opened {
  readonly pool: PostgresPool;
  end(): Promise<void>;
}

let made: Promise<PGlite> | undefined;

/** A database in this process, which takes seconds to make; schemas keep tests apart. */
export function pglite(): Promise<PGlite> {
  made ??= import("@electric-sql/pglite").then(({ PGlite }) => PGlite.create());
  return made;
}

const lite: Database = ["PGlite", async () => ({ pool: await pglite(), end: async () => {} })];

const server: Database = [
  "Postgres",
  async () => {
    const pool = serverPool();
    return { pool, end: () => pool.end() };
  },
];

/** The server where there is one, else the one in this process, which is slower. */
export const database = (await serverAnswers()) ? server : lite;

/** Both, as far as they are there: for the suites that say whether an adapter works on a database at all. */
export const databases = database === server ? [lite, server] : [lite];
