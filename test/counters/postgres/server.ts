import { afterAll } from "vitest";
import type { Counters } from "../../../src/counters/counters.js";
import { postgresCounters } from "../../../src/postgres.js";
import { dropSchema, newSchema, PATIENT, serverAnswers, serverPool } from "../../postgres/server.js";

/**
 * Makes counters on the caller's clock, one after the other; nothing where no server answers. To make tables takes longest, so that
 * all of a suite have the same, which are emptied for each with its first call. Whoever came before is then over.
 */
export async function makePostgresCounters(): Promise<(() => Counters) | undefined> {
  if (!(await serverAnswers())) return undefined;
  // One connection, as Redis has: scenarios count on calls being run in the order in which they are made.
  const pool = serverPool(1);
  const schema = newSchema();
  const counters = postgresCounters({ pool, schema, clock: "caller", ...PATIENT });
  let tables: Promise<void> | undefined;
  let latest = 0;
  afterAll(async () => {
    await dropSchema(pool, schema);
    await pool.end();
  });

  async function empty(): Promise<void> {
    tables ??= counters.migrate();
    await tables;
    const texts = ["counts", "reservation", "clock"].map((table) => `DELETE FROM "${schema}".${table};`);
    await pool.query(texts.join(" "));
  }

  return () => {
    let turn = 0;
    let emptied: Promise<void> | undefined;
    const ready = async () => {
      if (emptied === undefined) {
        turn = ++latest;
        emptied = empty();
      }
      await emptied;
      if (turn !== latest) throw new Error("other counters have these tables now");
      return counters;
    };
    return {
      reserve: async (request) => (await ready()).reserve(request),
      settle: async (request) => (await ready()).settle(request),
      read: async (query) => (await ready()).read(query),
      close: async () => {},
    };
  };
}
