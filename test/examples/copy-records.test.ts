import { createGate, memoryStorage, type Storage } from "tollgate";
import { postgresStorage } from "tollgate/postgres";
import { sqliteStorage } from "tollgate/sqlite";
import { afterAll, expect, it } from "vitest";
import { copyRecords } from "../../examples/production/copy-records.js";
import { recordKinds } from "../../src/model/record-schemas.js";
import { database } from "../postgres/databases.js";
import { dropSchema, newSchema } from "../postgres/server.js";
import { openDatabase } from "../sqlite/drivers.js";

const schema = newSchema();
const [, open] = database;
const { pool, end } = await open();
afterAll(async () => {
  await dropSchema(pool, schema);
  await end();
});

async function everything(storage: Storage) {
  const records = await Promise.all(recordKinds.map((kind) => storage.find(kind, {})));
  return records.map((ofKind) => ofKind.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}

it("records go from memory to SQLite to Postgres as they are, and the gate over the copy goes on", async () => {
  const memory = memoryStorage();
  const gate = createGate({ storage: memory });
  const olga = gate.as({ userId: "olga" });
  const { id: orgId } = await olga.orgs.create({ name: "Acme" });
  const { id: projectId } = await olga.projects.create({ orgId, name: "Search" });
  const { key, token } = await olga.keys.create({ orgId, projectId });
  for (let i = 1; i <= 700; i++) await olga.projects.update({ projectId, name: `Search ${i}` });
  await olga.orgs.create({ id: "gone", name: "Gone" });
  await olga.orgs.delete({ orgId: "gone", confirm: "gone" });
  expect((await gate.admit(token, { model: "m", costUsd: 0 })).admitted).toBe(true);
  await gate.close(); // writes when the key was last used

  const sqlite = sqliteStorage({ database: openDatabase() });
  const postgres = postgresStorage({ pool, schema });
  await postgres.migrate();
  await copyRecords(memory, sqlite);
  await copyRecords(sqlite, postgres);
  const before = await everything(memory);
  expect(before.flat().length).toBeGreaterThan(700);
  expect(await everything(sqlite)).toEqual(before);
  expect(await everything(postgres)).toEqual(before);

  const next = createGate({ storage: postgres });
  expect((await next.admit(token, { model: "m", costUsd: 0 })).admitted).toBe(true);
  await next.as({ userId: "olga" }).keys.revoke({ keyId: key.id });
  const revoked = { orgId, action: "key.revoke" };
  expect((await next.as({ userId: "olga" }).audit.list(revoked)).items).toHaveLength(1);
  await next.close();
});
