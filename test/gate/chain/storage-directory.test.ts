import { describe, expect, it } from "vitest";
import { storageDirectory } from "../../../src/gate/chain/storage-directory.js";
import { createGate } from "../../../src/gate/gate.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { NOON } from "../world.js";

const HOUR = 3_600_000;
const MAX = { orgId: "acme", projectId: "web", userId: "max" };

/** Olga's org with one project, and a key of Max in it. */
async function world() {
  const clock = { at: NOON, now: () => clock.at };
  const storage = memoryStorage();
  const gate = createGate({ storage, clock });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ orgId: "acme", id: "web", name: "Web" });
  await olga.orgMembers.add({ orgId: "acme", userId: "max", role: "member" });
  await olga.projectMembers.add({ ...MAX, role: "member", expiresAt: NOON + HOUR });
  await olga.keys.create({ ...MAX, id: "k1" });
  const directory = storageDirectory(storage, clock);
  const found = async () => directory.key({ keyId: "k1" });
  return { clock, storage, gate, olga, found };
}

describe("the directory over a storage", () => {
  it("ends no key of an owner with their membership, which keeps nobody", async () => {
    const { olga, found } = await world();
    expect((await found())?.holder).toMatchObject({ active: true, expiresAt: NOON + HOUR });
    await olga.orgMembers.setRole({ orgId: "acme", userId: "max", role: "owner" });
    expect((await found())?.holder).toMatchObject({ active: true, expiresAt: undefined });
  });

  it("tells of a key that was revoked with its holder by whether they are away, also when their time is over", async () => {
    const { clock, olga, found } = await world();
    await olga.projectMembers.remove(MAX);
    expect(await found()).toMatchObject({ holder: { active: false }, key: { status: "active" } });
    await olga.projectMembers.add({ ...MAX, role: "member", expiresAt: NOON + 2 * HOUR });
    clock.at = NOON + 2 * HOUR - 1;
    expect(await found()).toMatchObject({ holder: { active: true }, key: { status: "revoked" } });
    clock.at = NOON + 2 * HOUR;
    // Not by its end alone: whoever asks may have read the clock before that.
    expect(await found()).toMatchObject({ holder: { active: false }, key: { status: "active" } });
  });

  it("finds no key whose project is by now one of another org", async () => {
    const { storage, found } = await world();
    const project = await storage.get("project", "web");
    if (project === undefined) throw new Error("it was just made");
    const { version } = project;
    const record = { ...project, orgId: "other", version: version + 1 };
    await storage.commit([{ kind: "project", id: "web", expectedVersion: version, record }]);
    expect(await found()).toBe(undefined);
  });
});
