import type { Counters } from "tollgate";
import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { postgresCounters } from "../../../src/postgres.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema, PATIENT } from "../../postgres/server.js";

/** A trace takes seconds here; these have found something. */
const SEEDS = [2, 6, 10];

describe.each(databases)("counters: Postgres, on %s", (name, open) => {
  const { pool, end } = open();
  const schema = newSchema();
  afterAll(async () => {
    await dropSchema(pool, schema);
    await end();
  });

  /** Empty counters in the one schema: to make one for each case takes longer than the case. */
  async function make(clock: "caller" | "server"): Promise<Counters> {
    const counters = postgresCounters({ pool, schema, clock, ...PATIENT });
    await counters.migrate();
    const tables = ["counts", "reservation", "clock"].map((table) => `"${schema}".${table}`);
    await pool.query(`TRUNCATE ${tables.join(", ")}`);
    return counters;
  }

  if (name === "PGlite") {
    for (const { name, run } of countersConformance(() => make("caller"), { seeds: SEEDS })) it(name, run);
  } else {
    for (const { name, run } of countersConformance(() => make("server"), { clock: "server" })) it(name, run);
  }
});
