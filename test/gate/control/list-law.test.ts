import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Listed } from "../../../src/gate/control/paging.js";
import { createGate } from "../../../src/gate/gate.js";
import { membershipId } from "../../../src/model/records.js";
import { standardPolicy } from "../../../src/policy/index.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import { sqliteStorage } from "../../../src/storage/sqlite/storage.js";
import type { Storage } from "../../../src/storage/storage.js";
import { openDatabase } from "../../sqlite/drivers.js";
import { createWorld, type Op, ORG, perform, someGivingOp, USERS } from "./world.js";

const KEY = {
  type: "keys.create",
  gate: 0,
  user: undefined,
  limits: undefined,
  models: undefined,
  contentLogging: undefined,
  endsIn: undefined,
} as const;

type List = (page: { after?: string | undefined; limit: number }) => Promise<Listed<{ readonly id: string }>>;

/** All pages; `between` runs after each of them. */
async function allPages(
  list: List,
  limit: number,
  between: () => Promise<void> = async () => {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | undefined; ; ) {
    const { items, next } = await list({ limit, after });
    expect(items.length).toBeLessThanOrEqual(limit);
    ids.push(...items.map(({ id }) => id));
    if (next === undefined) return ids;
    expect(next).toBe(items.at(-1)?.id); // a cursor tells of nothing that was kept back
    await between();
    after = next;
  }
}

/** A key of everybody, and one in a project that only its owner sees. */
const FIRST: readonly Op[] = (["ann", "ben", "cem"] as const).flatMap((by) =>
  (["p0", "p1"] as const).map((project) => ({ ...KEY, by, project })),
);

test("list equals filtering by authorize, for every person and through every token", async () => {
  const run = fc.asyncProperty(
    fc.array(someGivingOp, { maxLength: 40 }),
    fc.integer({ min: 1, max: 4 }),
    async (ops, limit) => {
      const world = await createWorld();
      for (const op of FIRST) await perform(world, op);
      for (const op of ops) await perform(world, op);
      const [gate] = world.gates;
      const { storage } = world;
      const { findAny: _, ...plain } = storage;
      const plainGate = createGate({ storage: plain, clock: world.clock });
      const [projects, keys, members] = await Promise.all([
        storage.find("project", { orgId: ORG }),
        storage.find("key", { orgId: ORG }),
        storage.find("projectMember", { orgId: ORG }),
      ]);
      const authentications = await Promise.all(world.tokens.map(({ token }) => gate.authenticate(token)));
      const actors = [
        ...USERS.map((userId) => ({ actor: { userId }, who: { userId } })),
        ...world.tokens.flatMap(({ token, holder, issuedTo }, i) => {
          const found = authentications[i];
          return found?.authenticated && holder === issuedTo
            ? [{ actor: { token }, who: found.principal }]
            : [];
        }),
      ];
      for (const { actor, who } of actors) {
        const as = gate.as(actor);
        const maySee = async (projectId: string) =>
          (await gate.authorize(who, "project.view", { orgId: ORG, projectId })).allowed;
        const mayKey = async (projectId: string, userId: string) =>
          (await gate.authorize(who, "key.view", { orgId: ORG, projectId, userId })).allowed;
        const mayMembers = async (projectId: string) =>
          (await gate.authorize(who, "projectMember.view", { orgId: ORG, projectId })).allowed;
        const visible = await Promise.all(projects.map(({ id }) => maySee(id)));
        const seenMembers = await Promise.all(members.map(({ projectId }) => mayMembers(projectId)));
        const visibleMembers = members.filter((_, i) => seenMembers[i]);
        const visibleKeys = await Promise.all(keys.map(({ projectId, userId }) => mayKey(projectId, userId)));
        expect(await allPages((page) => as.projects.list({ orgId: ORG, ...page }), limit)).toEqual(
          projects.filter((_, i) => visible[i]).map(({ id }) => id),
        );
        for (const { keys: listed, projectMembers } of [as, plainGate.as(actor)]) {
          expect(await allPages((page) => listed.list({ orgId: ORG, ...page }), limit)).toEqual(
            keys.filter((_, i) => visibleKeys[i]).map(({ id }) => id),
          );
          for (const userId of [undefined, "ben"]) {
            const listed = allPages((page) => projectMembers.list({ orgId: ORG, userId, ...page }), limit);
            const wanted = visibleMembers.filter((one) => (userId ?? one.userId) === one.userId);
            expect(await listed).toEqual(wanted.map(({ id }) => id));
          }
        }
      }
    },
  );
  await fc.assert(run, { numRuns: 60 });
});

test("pages neither lose nor repeat items while others write", async () => {
  const names = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 20 });
  const run = fc.asyncProperty(
    names,
    names,
    fc.integer({ min: 1, max: 5 }),
    async (lasting, others, limit) => {
      const world = await createWorld();
      const { projects } = world.gates[0].as({ userId: "ann" });
      const id = (n: number) => `q${String(n).padStart(2, "0")}`;
      for (const n of lasting) await projects.create({ orgId: ORG, id: id(n), name: "stays" });
      const rest = others.filter((n) => !lasting.includes(n));
      const made: number[] = [];
      const between = async () => {
        const [come, go] = [rest.pop(), made.shift()];
        if (go !== undefined) await projects.delete({ projectId: id(go) });
        if (come === undefined) return;
        await projects.create({ orgId: ORG, id: id(come), name: "comes and goes" });
        made.push(come);
      };
      await between();
      const seen = await allPages((page) => projects.list({ orgId: ORG, ...page }), limit, between);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(expect.arrayContaining(lasting.map(id)));
    },
  );
  await fc.assert(run, { numRuns: 40 });
});

/**
 * A world in which Ann has made 500 projects that Dan is not in, and the look-ups for projects since then, in a storage
 * that cannot search for several values.
 */
async function manyProjects() {
  const { storage } = await createWorld();
  const lookUps = { count: 0 };
  const find: Storage["find"] = (kind, where, page) => {
    if (kind === "project") lookUps.count++;
    return storage.find(kind, where, page);
  };
  const { findAny: _, ...plain } = storage;
  const gate = createGate({ storage: { ...plain, find } });
  const ann = gate.as({ userId: "ann" });
  for (let i = 0; i < 500; i++) await ann.projects.create({ orgId: ORG, id: `q${i}`, name: "not of Dan" });
  return { ann, dan: gate.as({ userId: "dan" }), lookUps };
}

test("a small page for somebody who sees little of much takes few look-ups, and finds it", async () => {
  const { ann, dan, lookUps } = await manyProjects();
  for (const id of ["z0", "z1"]) {
    await ann.projects.create({ orgId: ORG, id, name: "of Dan" });
    await ann.projectMembers.add({ orgId: ORG, projectId: id, userId: "dan", role: "member" });
  }
  expect(await allPages((page) => dan.projects.list({ orgId: ORG, ...page }), 1)).toEqual(["z0", "z1"]);
  expect(lookUps.count).toBeLessThanOrEqual(20);
});

test("calls pass while many records are looked through for a list", async () => {
  const { dan, lookUps } = await manyProjects();
  const listing = dan.projects.list({ orgId: ORG });
  await setImmediate();
  expect(lookUps.count).toBe(1);
  expect((await listing).items).toEqual([]);
  expect(lookUps.count).toBe(3);
});

test("for an admin of one project no key of another one is read, and an admin of two sees the keys of both", async () => {
  const { storage } = await createWorld();
  const read: string[] = [];
  const find: Storage["find"] = async (kind, where, page) => {
    const found = await storage.find(kind, where, page);
    if (kind === "key") read.push(...found.map(({ id }) => id));
    return found;
  };
  const gate = createGate({ storage: { ...storage, find } });
  const ann = gate.as({ userId: "ann" });
  for (let i = 0; i < 10; i++) await ann.keys.create({ orgId: ORG, projectId: `p${i % 2}`, id: `k${i}` });
  const { keys } = gate.as({ userId: "ben" });
  expect(await allPages((page) => keys.list({ orgId: ORG, ...page }), 2)).toEqual([
    "k0",
    "k2",
    "k4",
    "k6",
    "k8",
  ]);
  expect(read.filter((id) => Number(id[1]) % 2 === 1)).toEqual([]);
  await ann.projectMembers.add({ orgId: ORG, projectId: "p1", userId: "ben", role: "admin" });
  expect((await keys.list({ orgId: ORG })).items).toHaveLength(10);
});

test.each(["memory", "SQLite"])(
  "for somebody in a few projects nothing of the others is read: %s",
  async (name) => {
    const storage = name === "memory" ? memoryStorage() : sqliteStorage({ database: openDatabase() });
    const read = new Set<string>();
    const noting = <T extends { readonly id: string }>(kind: string, found: readonly T[]) => {
      for (const { id } of found) read.add(`${kind} ${id}`);
      return [...found];
    };
    const gate = createGate({
      storage: {
        ...storage,
        find: async (kind, where, page) => noting(kind, await storage.find(kind, where, page)),
        findAny: async (kind, where, any, page) =>
          noting(kind, (await storage.findAny?.(kind, where, any, page)) ?? []),
      },
    });
    const ann = gate.as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.orgMembers.add({ orgId: ORG, userId: "ben", role: "member" });
    for (let i = 0; i < 20; i++) {
      const of = { orgId: ORG, projectId: `p${i}` };
      await ann.projects.create({ orgId: ORG, id: of.projectId, name: "a project" });
      await ann.keys.create({ ...of, id: `ann-${i}`, tags: { env: i === 5 ? "prod" : "dev" } });
      if (i > 5) continue;
      await ann.projectMembers.add({ ...of, userId: "ben", role: i > 3 ? "admin" : "member" });
      if (i > 2) await ann.keys.create({ ...of, userId: "ben", id: `ben-${i}` });
    }
    const ben = gate.as({ userId: "ben" });
    const keys = ["ann-4", "ann-5", "ben-3", "ben-4", "ben-5"];
    const projects = ["p0", "p1", "p2", "p3", "p4", "p5"];
    read.clear();
    expect(await allPages((page) => ben.keys.list({ orgId: ORG, ...page }), 2)).toEqual(keys);
    expect((await ben.keys.list({ orgId: ORG, tag: { name: "env", value: "prod" } })).items).toHaveLength(1);
    expect((await ben.keys.list({ orgId: ORG, status: "disabled" })).items).toEqual([]);
    expect(await allPages((page) => ben.projects.list({ orgId: ORG, ...page }), 4)).toEqual(projects);
    const projectMembers = [4, 5].map((i) => membershipId(ORG, `p${i}`, "ben"));
    expect(await allPages((page) => ben.projectMembers.list({ orgId: ORG, ...page }), 1)).toEqual(
      projectMembers,
    );
    const ofKind = (kind: string) => [...read].filter((one) => one.startsWith(`${kind} `)).sort();
    expect(ofKind("key")).toEqual(keys.map((id) => `key ${id}`));
    expect(ofKind("project")).toEqual(projects.map((id) => `project ${id}`));
  },
);

test("somebody in more projects than are searched for by id sees all of them, and their keys", async () => {
  const gate = createGate();
  const ann = gate.as({ userId: "ann" });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  await ann.orgMembers.add({ orgId: ORG, userId: "ben", role: "member" });
  for (let i = 0; i < 102; i++) {
    const of = { orgId: ORG, projectId: `p${i}` };
    await ann.projects.create({ orgId: ORG, id: of.projectId, name: "a project" });
    await ann.keys.create({ ...of, id: `k${i}` });
    if (i === 0) continue;
    await ann.projectMembers.add({ ...of, userId: "ben", role: "admin" });
    if (i < 100) continue;
    const ben = gate.as({ userId: "ben" });
    expect((await ben.projects.list({ orgId: ORG, limit: 1_000 })).items).toHaveLength(i);
    expect((await ben.keys.list({ orgId: ORG, limit: 1_000 })).items).toHaveLength(i);
  }
});

const own = { "key.view": "own", "key.create": "own" } as const;
const closed = {
  at: "project",
  projects: [{ orgId: ORG, projectId: "p2" }],
  permissions: ["key.view"],
} as const;

test.each([
  ["as a member there", standardPolicy, "member", ["ben-p1", "ben-p2"]],
  ["by an org role", standardPolicy.extend({ orgRoles: { maker: own } }), "maker", ["ben-p1", "ben-p2"]],
  [
    "by an org role, where that is not capped",
    standardPolicy.extend({ orgRoles: { maker: own }, caps: { closed } }),
    "maker",
    ["ben-p1"],
  ],
] as const)(
  "an admin of one project sees their own keys elsewhere: %s",
  async (_, policy, role, elsewhere) => {
    const gate = createGate({ policy });
    const ann = gate.as({ userId: "ann" });
    await ann.orgs.create({ id: ORG, name: "Acme" });
    await ann.orgMembers.add({ orgId: ORG, userId: "ben", role });
    for (const projectId of ["p0", "p1", "p2"]) {
      const of = { orgId: ORG, projectId, userId: "ben" };
      await ann.projects.create({ orgId: ORG, id: projectId, name: projectId });
      await ann.projectMembers.add({ ...of, role: projectId === "p0" ? "admin" : "member" });
      await ann.keys.create({ ...of, id: `ben-${projectId}` });
      await ann.keys.create({ ...of, userId: "ann", id: `ann-${projectId}` });
    }
    const { items } = await gate.as({ userId: "ben" }).keys.list({ orgId: ORG });
    expect(items.map(({ id }) => id)).toEqual(["ann-p0", "ben-p0", ...elsewhere]);
  },
);
