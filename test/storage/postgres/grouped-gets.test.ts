import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { LastUsed, NO_EPOCH } from "../../../src/gate/chain/last-used.js";
import { createGate } from "../../../src/gate/gate.js";
import { postgresStorage } from "../../../src/postgres.js";
import { GroupedGets, type ReadTexts } from "../../../src/storage/postgres/grouped-gets.js";
import { key, project, put } from "../../../src/testing/conformance/storage-records.js";
import { database } from "../../postgres/databases.js";
import { dropSchema, newSchema } from "../../postgres/server.js";

/** Answers each id with a text of its own, except those of nobody. */
function recorded() {
  const read = vi.fn<ReadTexts>(
    async (kind, ids) => new Map(ids.filter((id) => !id.startsWith("no")).map((id) => [id, `${kind} ${id}`])),
  );
  return { read, gets: new GroupedGets(read) };
}

it("records that are asked for in one turn are read with one statement for each kind", async () => {
  const { read, gets } = recorded();
  const later = async () => {
    for (let steps = 0; steps < 20; steps++) await undefined; // the turn is not over while promises go on
    return gets.get("keyUse", "c");
  };
  const answers = await Promise.all([
    gets.get("keyUse", "a"),
    gets.get("key", "a"),
    gets.get("keyUse", "nobody"),
    gets.get("keyUse", "b"),
    gets.get("keyUse", "a"),
    later(),
  ]);
  expect(answers).toEqual(["keyUse a", "key a", undefined, "keyUse b", "keyUse a", "keyUse c"]);
  expect(read.mock.calls).toEqual([
    ["keyUse", ["a", "nobody", "b", "c"]],
    ["key", ["a"]],
  ]);
});

it("no statement reads more than a hundred records", async () => {
  const { read, gets } = recorded();
  const ids = Array.from({ length: 250 }, (_, i) => `k${i}`);
  expect(await Promise.all(ids.map((id) => gets.get("key", id)))).toEqual(ids.map((id) => `key ${id}`));
  expect(read.mock.calls.map(([, some]) => some.length)).toEqual([100, 100, 50]);
});

it("what is asked for after a statement was sent is not answered by it", async () => {
  const { read, gets } = recorded();
  let asked: Promise<string | undefined> | undefined;
  read.mockImplementationOnce(async () => {
    asked = gets.get("key", "a");
    return new Map([["a", "before"]]);
  });
  expect(await gets.get("key", "a")).toBe("before");
  expect(await asked).toBe("key a");
});

it("a statement that fails is told to all who wait for it, and to nobody after", async () => {
  const { read, gets } = recorded();
  read.mockRejectedValueOnce(new Error("the connection is lost"));
  const failed = await Promise.allSettled([gets.get("key", "a"), gets.get("key", "b")]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await gets.get("key", "a")).toBe("key a");
});

it("a storage asks the database once for what a gate asks for at once", async () => {
  const records = ["web", "api"].map((id) => ({ id, record: JSON.stringify(project(id)) }));
  const query = vi.fn(async (_text: string, _values?: unknown[]) => ({ rows: records }));
  const storage = postgresStorage({ pool: { query } });
  const found = await Promise.all(["api", "other", "web"].map((id) => storage.get("project", id)));
  expect(found).toEqual([project("api"), undefined, project("web")]);
  expect(query).toHaveBeenCalledOnce();
  expect(query.mock.calls[0]?.[1]).toEqual(['["api","other","web"]']);
});

describe("the last uses of 250 keys", async () => {
  const [, open] = database;
  const { pool, end } = await open();
  const schema = newSchema();
  const statements: string[] = [];
  const query = (text: string, values?: unknown[]) => {
    statements.push(text);
    return pool.query(text, values);
  };
  const storage = postgresStorage({ pool: { query }, schema });
  const ids = Array.from({ length: 250 }, (_, i) => `k${i}`);
  const lastUsed = new LastUsed(storage, Date);
  const gate = createGate({ storage });
  const olga = gate.as({ userId: "olga" });
  beforeAll(async () => {
    await storage.migrate();
    await olga.orgs.create({ id: "acme", name: "Acme" });
    await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
    await storage.commit(ids.map((id) => put("key", key(id))));
  });
  afterAll(async () => {
    await gate.close();
    await dropSchema(pool, schema);
    await end();
  });

  /** How many statements of a run name a table or function. */
  const counted = async (run: () => Promise<unknown>) => {
    statements.length = 0;
    await run();
    const naming = (name: string) => statements.filter((text) => text.includes(`"${schema}".${name}`)).length;
    return { uses: naming("key_use "), keys: naming("key "), commits: naming("commit(") };
  };
  const flush = (now: number) => {
    for (const keyId of ids) lastUsed.record({ keyId, orgId: "acme", usePlace: 0, useEpoch: NO_EPOCH }, now);
    return lastUsed.flush();
  };

  it("are written with three commits and three statements that read, and three more where they are the first", async () => {
    expect(await counted(() => flush(1_000))).toEqual({ uses: 3, keys: 3, commits: 3 });
    expect(await counted(() => flush(2_000))).toEqual({ uses: 3, keys: 0, commits: 3 });
  });

  it("are read a hundred at a time for a list of unused keys", async () => {
    await flush(2_000_000_000_000);
    const list = (unusedSince: number) => olga.keys.list({ orgId: "acme", unusedSince });
    expect(await counted(() => list(1_900_000_000_000))).toEqual({ uses: 4, keys: 2, commits: 0 });
    expect((await list(1_900_000_000_000)).items).toEqual([]);
    expect((await list(2_100_000_000_000)).items).toHaveLength(100);
  });
});
