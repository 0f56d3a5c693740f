import { PGlite } from "@electric-sql/pglite";
import type { PostgresPool } from "../../src/postgres/pool.js";
import { serverAnswers, serverPool } from "./server.js";

/** A database in this process; schemas keep tests apart. */
export const pglite = await PGlite.create();

/** Every database that the adapters are tested on: what opens it, and what ends it again. */
export const databases: readonly (readonly [
  name: string,
  open: () => { readonly pool: PostgresPool; end(): Promise<void> },
])[] = [
  ["PGlite", () => ({ pool: pglite, end: async () => {} })],
  ...((await serverAnswers())
    ? [
        [
          "Postgres",
          () => {
            const pool = serverPool();
            return { pool, end: () => pool.end() };
          },
        ] as const,
      ]
    : []),
];
