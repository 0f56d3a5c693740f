import { ConflictError, createGate, memoryStorage } from "tollgate";
import { expect, it } from "vitest";

it("a conflict that no other write explains is told after three tries", async () => {
  const storage = memoryStorage();
  const commit = storage.commit.bind(storage);
  let commits = 0;
  storage.commit = (changes) => {
    commits++;
    return commit(changes);
  };
  const ada = createGate({ storage }).as({ userId: "ada" });
  const { id: orgId } = await ada.orgs.create({ name: "Acme" });
  await ada.projects.create({ orgId, id: "web", name: "Web" });
  commits = 0;
  await expect(ada.projects.create({ orgId, id: "web", name: "Web" })).rejects.toThrow(ConflictError);
  expect(commits).toBe(3);
});
