import { expect, it, vi } from "vitest";
import { postgresStorage } from "../../../src/postgres.js";
import { GroupedGets, type ReadTexts } from "../../../src/storage/postgres/grouped-gets.js";
import { project } from "../../../src/testing/conformance/storage-records.js";

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
