import fc from "fast-check";
import { expect, test } from "vitest";
import { ConflictError } from "../../../src/model/errors.js";
import { recordKinds } from "../../../src/model/record-schemas.js";
import { createWorld, ORG, perform, someOp, type World } from "./world.js";

async function everything({ storage }: World) {
  return Promise.all(recordKinds.map((kind) => storage.find(kind, { orgId: ORG })));
}

test("a write with a stale version is a ConflictError that names both versions and changes nothing", async () => {
  const run = fc.asyncProperty(fc.array(someOp, { maxLength: 20 }), fc.nat(3), async (ops, behind) => {
    const world = await createWorld();
    const ann = world.gates[0].as({ userId: "ann" });
    await ann.projects.create({ orgId: ORG, id: "q", name: "q" });
    const { key } = await ann.keys.create({ orgId: ORG, projectId: "q" });
    for (let i = 0; i <= behind; i++) {
      await ann.projects.update({ projectId: "q", name: `q${i}` });
      await ann.keys.update({ keyId: key.id, name: `k${i}` });
    }
    for (const op of ops) if (op.by !== "ann") await perform(world, op);
    const before = await everything(world);
    const [project, present] = [
      await ann.projects.get({ projectId: "q" }),
      await ann.keys.get({ keyId: key.id }),
    ];
    const stale = [
      [project.version, (version: number) => ann.projects.update({ projectId: "q", version, name: "late" })],
      [project.version, (version: number) => ann.projects.delete({ projectId: "q", version })],
      [present.version, (version: number) => ann.keys.update({ keyId: key.id, version, limits: { rpm: 1 } })],
      [present.version, (version: number) => ann.keys.rotate({ keyId: key.id, version })],
      [present.version, (version: number) => ann.keys.revoke({ keyId: key.id, version })],
    ] as const;
    for (const [now, write] of stale) {
      const late = write(now - 1);
      await expect(late).rejects.toThrow(ConflictError);
      await expect(late).rejects.toThrow(`version ${now}, not at version ${now - 1}`);
    }
    expect(await everything(world)).toEqual(before);
    await ann.projects.update({ projectId: "q", version: project.version, name: "in time" });
  });
  await fc.assert(run, { numRuns: 30 });
});

test("ids given by the caller are accepted, and a taken one is a ConflictError, in whichever org it is", async () => {
  const { gates } = await createWorld();
  const [ann, fay] = [gates[0].as({ userId: "ann" }), gates[1].as({ userId: "fay" })];
  await ann.keys.create({ orgId: ORG, projectId: "p0", id: "my key" });
  await expect(ann.keys.create({ orgId: ORG, projectId: "p0", id: "my key" })).rejects.toThrow(ConflictError);
  await expect(fay.projects.create({ orgId: "other", id: "p0", name: "x" })).rejects.toThrow(
    new ConflictError('project "p0" exists already'),
  );
  await expect(fay.orgs.create({ id: ORG, name: "x" })).rejects.toThrow(ConflictError);
});

test("writers of one record who name no version are all done, one after another, in one process and in two", async () => {
  const { gates, storage } = await createWorld();
  const writes = Array.from({ length: 30 }, (_, i) =>
    gates[i % 2 === 0 ? 0 : 1].as({ userId: "ann" }).projects.update({ projectId: "p0", name: `name ${i}` }),
  );
  await Promise.all(writes);
  expect((await storage.get("project", "p0"))?.version).toBe(31);
});
