import fc from "fast-check";
import { expect, test } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { LastOwnerError } from "../../../src/model/errors.js";
import type { Storage } from "../../../src/storage/storage.js";
import { sharedRecords } from "../../scenarios/shared-stores.js";
import { createWorld, ORG, perform, someOp, type World } from "./world.js";

async function ownersOf({ storage }: World): Promise<string[]> {
  return (await storage.find("orgMember", { orgId: ORG, role: "owner" })).map(({ userId }) => userId);
}

test("an org has an owner after every operation, also under concurrent ones", async () => {
  const run = fc.asyncProperty(
    fc.array(fc.array(someOp, { maxLength: 6 }), { maxLength: 12 }),
    async (batches) => {
      const world = await createWorld();
      for (const batch of batches) {
        await Promise.all(batch.map((op) => perform(world, op)));
        expect(await ownersOf(world)).not.toEqual([]);
      }
    },
  );
  await fc.assert(run, { numRuns: 80 });
});

const leave = fc.constantFrom("remove" as const, "demote" as const);

test("owners who remove or demote each other and themselves at the same moment leave exactly one or more", async () => {
  const moves = fc.array(
    fc.record({ by: fc.nat(2), whom: fc.nat(2), how: leave, gate: fc.constantFrom(0 as const, 1 as const) }),
    { minLength: 2, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(moves, async (moves) => {
      const world = await createWorld();
      const owners = ["ann", "ben", "cem"];
      const { orgMembers } = world.gates[0].as({ userId: "ann" });
      for (const userId of ["ben", "cem"]) await orgMembers.setRole({ orgId: ORG, userId, role: "owner" });
      const attempts = moves.map(({ by, whom, how, gate }) => {
        const as = world.gates[gate].as({ userId: owners[by] ?? "" }).orgMembers;
        const target = { orgId: ORG, userId: owners[whom] ?? "" };
        return how === "remove" ? as.remove(target) : as.setRole({ ...target, role: "member" });
      });
      await Promise.allSettled(attempts);
      expect((await ownersOf(world)).length).toBeGreaterThanOrEqual(1);
    }),
    { numRuns: 150 },
  );
});

/** Has each commit wait until another one is about to be made too, for a moment at most. */
function atOnce(storage: Storage, meet: () => Promise<void>): Storage {
  return {
    get: (kind, id) => storage.get(kind, id),
    find: (kind, where, page) => storage.find(kind, where, page),
    async commit(changes) {
      await meet();
      await storage.commit(changes);
    },
    close: () => storage.close(),
  };
}

/** Lets two who come soon after each other go on together. */
function meeting(): () => Promise<void> {
  let first: (() => void) | undefined;
  return () =>
    new Promise((resolve) => {
      first?.();
      if (first) resolve();
      first = first ? undefined : resolve;
      setTimeout(resolve, 20);
    });
}

test.each(await sharedRecords())(
  "of two owners who remove each other at the same moment, each over a connection of their own, one stays: %s",
  async (_, make) => {
    const records = await make();
    const meet = meeting();
    const [one, other] = [0, 1].map(() => createGate({ storage: atOnce(records.connect(), meet) }));
    if (!one || !other) throw new Error("two gates");
    for (let round = 0; round < 20; round++) {
      const orgId = `org${round}`;
      await one.as({ userId: "ann" }).orgs.create({ id: orgId, name: "Acme" });
      await one.as({ userId: "ann" }).orgMembers.add({ orgId, userId: "ben", role: "owner" });
      const removed = await Promise.allSettled([
        one.as({ userId: "ann" }).orgMembers.remove({ orgId, userId: "ben" }),
        other.as({ userId: "ben" }).orgMembers.remove({ orgId, userId: "ann" }),
      ]);
      expect(removed.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    }
    await Promise.all([one.close(), other.close()]);
    await records.remove();
  },
);

test("the last owner can be neither removed nor demoted, and the error says so", async () => {
  const world = await createWorld();
  const { orgMembers } = world.gates[0].as({ userId: "ann" });
  await expect(orgMembers.remove({ orgId: ORG, userId: "ann" })).rejects.toThrow(LastOwnerError);
  await expect(orgMembers.setRole({ orgId: ORG, userId: "ann", role: "member" })).rejects.toThrow(
    LastOwnerError,
  );
});
