import type { Counters } from "tollgate";
import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { postgresCounters } from "../../../src/postgres.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";

/** A trace takes seconds here; these have found something. */
const SEEDS = [2, 6, 10];

describe.each(databases)("counters: Postgres, on %s", (name, open) => {
  const { pool, end } = open();
  const schemas: string[] = [];
  afterAll(async () => {
    for (const schema of schemas) await dropSchema(pool, schema);
    await end();
  });

  async function make(clock: "caller" | "server"): Promise<Counters> {
    const schema = newSchema();
    schemas.push(schema);
    const counters = postgresCounters({ pool, schema, clock });
    await counters.migrate();
    return counters;
  }

  // Each case has tables of its own, which takes longest: one clock for each database.
  if (name === "PGlite") {
    for (const { name, run } of countersConformance(() => make("caller"), { seeds: SEEDS })) it(name, run);
  } else {
    for (const { name, run } of countersConformance(() => make("server"), { clock: "server" })) it(name, run);
  }
});
