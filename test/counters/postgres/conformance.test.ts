import type { Counters } from "tollgate";
import { countersConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { postgresCounters } from "../../../src/postgres.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";

const TWICE = "the case charges one count twice in a call, which Postgres refuses with a ValidationError";

/** Cases that do not hold in Postgres, each with its reason. `same-as-memory.test.ts` has traces without them. */
const SKIPPED: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^a random trace with seed/, TWICE],
  [/^waitMs is until the amount fits/, TWICE],
  [
    /of every name are ordinary, and apart$/,
    "open: a replay under a name of 10,000 characters answers otherwise",
  ],
];

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
    for (const { name, run } of countersConformance(() => make("caller")))
      it.skipIf(isSkipped(name))(name, run);
  } else {
    for (const { name, run } of countersConformance(() => make("server"), { clock: "server" }))
      it.skipIf(isSkipped(name))(name, run);
  }
});

function isSkipped(name: string): boolean {
  return SKIPPED.some(([skipped]) => skipped.test(name));
}
