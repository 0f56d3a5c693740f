import type { Counters } from "tollgate";
import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { postgresCounters } from "../../../src/postgres.js";
import { database, databases } from "../../postgres/databases.js";
import { dropSchema, newSchema, PATIENT } from "../../postgres/server.js";

/** A trace takes seconds here; these have found something. They run on a server where there is one, else on PGlite. */
const SEEDS = [2, 6, 10];
const [tracedOn] = database;

describe.each(databases)("counters: Postgres, on %s", async (name, open) => {
  const { pool, end } = await open();
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

  const clocks = name === "PGlite" ? (["caller"] as const) : (["caller", "server"] as const);
  describe.each(clocks)("on the clock of the %s", (clock) => {
    const seeds = name === tracedOn ? SEEDS : [];
    for (const { name, run } of countersConformance(() => make(clock), { clock, seeds })) it(name, run);
  });
});
