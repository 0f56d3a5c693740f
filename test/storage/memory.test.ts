import { expect, test, vi } from "vitest";
import { memoryStorage } from "../../src/storage/memory.js";
import type { Change } from "../../src/storage/storage.js";
import { change, project } from "../../src/testing/conformance/storage-records.js";

test.each<[string, Change]>([
  ["an update", change("project", "p1", 1, project("p1", { version: 2, name: "Two" }))],
  ["a record that comes last", change("project", "q", 0, project("q"))],
])("what is in order stays in order after %s, and is not sorted again", async (_, written) => {
  const storage = memoryStorage();
  const ids = ["p3", "p1", "p2"];
  await storage.commit(ids.map((id) => change("project", id, 0, project(id))));
  await storage.commit([change("project", "p0", 0, project("p0", { orgId: "other" }))]);
  const listed = async () => (await storage.find("project", { orgId: "acme" })).map(({ id }) => id);
  await listed();
  await storage.commit([written]);
  const sort = vi.spyOn(Array.prototype, "sort");
  const found = listed();
  const sorted = sort.mock.calls.length;
  sort.mockRestore();
  expect(await found).toEqual([...new Set([...ids, written.id])].sort());
  expect(sorted).toBe(0);
});
