import fc from "fast-check";
import { expect, test } from "vitest";
import type { Principal, Resource } from "../../../src/policy/principal.js";
import { type StandardPermission, standardPolicy } from "../../../src/policy/standard.js";
import { CELLS, type Cell, Roles } from "./roles-model.js";
import { createWorld, doerOf, type Op, ORG, perform, someOp, USERS, type World } from "./world.js";

async function reached({ gates }: World, who: { readonly userId: string } | Principal): Promise<Set<Cell>> {
  const cells = new Set<Cell>();
  for (const cell of CELLS) {
    const { permission, ...ids } = cell;
    // Sound: a cell has the ids that its permission takes.
    const resource = { orgId: ORG, ...ids } as Required<Resource>;
    if ((await gates[1].authorize(who, permission as StandardPermission, resource)).allowed) cells.add(cell);
  }
  return cells;
}

test("the model knows every permission of the standard policy", () => {
  expect(new Set(CELLS.map(({ permission }) => permission))).toEqual(
    new Set(Object.keys(standardPolicy.spec.permissions)),
  );
});

/** Everybody, and every token, reaches the cells that the model gives them and no others. */
async function expectExactly(world: World, roles: Roles): Promise<void> {
  const now = world.clock.time;
  for (const userId of USERS) {
    const given = CELLS.filter((cell) => roles.may(userId, cell, now));
    expect({ userId, cells: await reached(world, { userId }) }).toEqual({ userId, cells: new Set(given) });
  }
  for (const { token, projectId, holder } of world.tokens) {
    const found = await world.gates[1].authenticate(token);
    if (!found.authenticated) continue;
    const given = CELLS.filter((cell) => cell.projectId === projectId && roles.may(holder, cell, now));
    expect(await reached(world, found.principal)).toEqual(new Set(given));
  }
}

const none = { limits: undefined, models: undefined, contentLogging: undefined, endsIn: undefined };

/** Dan is an admin of p1 for a while, and a key of Cem's was disabled by Ben, an admin. */
const BEGINNING: readonly Op[] = [
  { by: "cem", gate: 0, type: "keys.create", project: "p0", user: undefined, ...none },
  { by: "ben", gate: 0, type: "keys.status", nth: 0, verb: "disable" },
  {
    by: "ann",
    gate: 0,
    type: "projectMembers.add",
    project: "p1",
    user: "dan",
    role: "admin",
    limits: undefined,
    endsIn: 12,
  },
];

test("no sequence of operations lets anyone reach a cell of the matrix that their granted roles do not give", async () => {
  let done = 0;
  const run = fc.asyncProperty(fc.array(someOp, { minLength: 5, maxLength: 40 }), async (ops) => {
    const world = await createWorld();
    const roles = new Roles();
    for (const op of [...BEGINNING, ...ops]) {
      const tokens = [...world.tokens];
      const doer = doerOf(world, op);
      if (doer === undefined) continue; // there is no token yet
      const outcome = await perform(world, op);
      roles.expectAllowed(op, outcome, world, tokens);
      roles.take(op, outcome, world, doer.userId);
      if (outcome.done) done++;
    }
    await expectExactly(world, roles);
    world.clock.time += 15; // whoever is there for a time only is not there any more
    await expectExactly(world, roles);
  });
  await fc.assert(run, { numRuns: 150 });
  expect(done).toBeGreaterThan(300); // it is about what is done, not about what is refused
});

test("nothing that happens in one org is seen in another", async () => {
  const run = fc.asyncProperty(fc.array(someOp, { maxLength: 30 }), async (ops) => {
    const world = await createWorld();
    const before = await world.storage.find("auditEvent", { orgId: "other" });
    for (const op of ops) if (op.by !== "fay") await perform(world, op);
    expect(await world.storage.find("auditEvent", { orgId: "other" })).toEqual(before);
    expect(await world.storage.find("orgMember", { orgId: "other" })).toHaveLength(1);
  });
  await fc.assert(run, { numRuns: 30 });
});
