import { storageConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { recordKinds } from "../../../src/model/record-schemas.js";
import { postgresStorage } from "../../../src/storage/postgres/storage.js";
import { snakeCase } from "../../../src/storage/snake-case.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";

describe.each(databases)("storage: Postgres, on %s", async (_, open) => {
  const { pool, end } = await open();
  const schema = newSchema();
  afterAll(async () => {
    await dropSchema(pool, schema);
    await end();
  });

  /** An empty storage in the one schema: to make the tables for each case takes longer than the case. */
  const cases = storageConformance(async () => {
    const storage = postgresStorage({ pool, schema });
    await storage.migrate();
    const tables = recordKinds.map((kind) => `"${schema}".${snakeCase(kind)}`);
    await pool.query(`TRUNCATE ${tables.join(", ")}`);
    return storage;
  });
  for (const { name, run } of cases) it(name, run);
});
