import { storageConformance } from "tollgate/testing";
import { afterAll, describe, it } from "vitest";
import { postgresStorage } from "../../../src/storage/postgres/storage.js";
import { databases } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";

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
    return storage;
  });
  for (const { name, run } of cases) it(name, run);
});
