import { storageConformance } from "tollgate/testing";
import { afterAll, describe, expect, it } from "vitest";
import { postgresStorage } from "../../../src/storage/postgres/storage.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";
import { withParents } from "./parents.js";

const PARENTS =
  "Postgres holds references, so a trigger of these tests makes the orgs and projects that a case names; the case finds them, too";

/** Cases that do not hold in Postgres, each with its reason. */
const SKIPPED: Readonly<Record<string, string>> = {
  "records of all kinds and of several orgs are written in one commit": PARENTS,
  "find holds every field to its value, sorted by id": PARENTS,
  "watch, where there is one, tells of every commit with its orgs, and of nothing that was turned down":
    PARENTS,
  "ids that objects or databases treat in their own way are ordinary":
    "an id of 10,000 characters does not fit an index of Postgres: it is a ValidationError above 2,700 bytes",
};

describe.each(databases)("storage: Postgres, on %s", (_, open) => {
  const { pool, end } = open();
  const schemas: string[] = [];
  afterAll(async () => {
    for (const schema of schemas) await dropSchema(pool, schema);
    await end();
  });

  const cases = storageConformance(async () => {
    const schema = newSchema();
    schemas.push(schema);
    const storage = postgresStorage({ pool, schema });
    await storage.migrate();
    await withParents(pool, schema);
    return storage;
  });
  for (const { name, run } of cases) it.skipIf(name in SKIPPED)(name, run);

  it("every case that is skipped is one of the suite", () => {
    const names = new Set(cases.map(({ name }) => name));
    expect(Object.keys(SKIPPED).filter((name) => !names.has(name))).toEqual([]);
  });
});
