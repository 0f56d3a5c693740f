import fc from "fast-check";
import { expect, test } from "vitest";
import type { ControlPlane } from "../../../src/gate/control/control-plane.js";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { TollgateError } from "../../../src/model/errors.js";
import type { Limits } from "../../../src/model/limits.js";
import { standardPolicy } from "../../../src/policy/index.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";
import { ORG, START, WEB } from "./web.js";

const BOUND: Limits = { rpm: 2 };
const { owner } = standardPolicy.spec.orgRoles;
const { admin } = standardPolicy.spec.projectRoles;
const { "project.update": _update, ...host } = admin;
const people = {
  ...host,
  "orgMember.add": "all",
  "orgMember.setRole": "all",
  "orgMember.remove": "all",
  "invitation.create": "all",
} as const;
const policy = standardPolicy.extend({
  orgRoles: { boss: owner, people, helper: host },
  projectRoles: { host },
});

/** Bea and Pia reach into every project by their org roles, and are under the same bound in this one; Sid and Sue help. */
const ATTACKERS = ["bea", "pia", "sid", "sue"] as const;

const user = fc.constantFrom(...ATTACKERS);
const role = fc.constantFrom("host", "host", "admin", "member");
const orgRole = fc.constantFrom("helper", "people", "member", "owner");
const limits = fc.constantFrom<Limits | null>(BOUND, BOUND, null, { rpm: 3 });
const is = <const T>(type: T) => fc.constant(type);
const nth = fc.nat({ max: 9 });

const step = fc.record({
  /** An attacker as themselves, or the nth token in their hands. */
  by: fc.oneof({ weight: 4, arbitrary: user }, { weight: 1, arbitrary: nth }),
  op: fc.oneof(
    fc.record({ type: is("join"), user, role: orgRole }),
    fc.record({ type: is("orgRole"), user, role: orgRole }),
    fc.record({ type: is("leave"), user: fc.constantFrom("sid", "sue") }),
    fc.record({ type: is("add"), user, role, limits }),
    fc.record({ type: is("add"), user: fc.constantFrom("sid", "sue"), role: is("host"), limits: is(BOUND) }),
    fc.record({ type: is("remove"), user }),
    fc.record({ type: is("setRole"), user, role }),
    fc.record({ type: is("setLimits"), user, limits }),
    fc.record({ type: is("invite"), role: orgRole, projectRole: role, limits }),
    fc.record({ type: is("accept"), nth }),
    fc.record({ type: is("create"), user, limits }),
    fc.record({ type: is("rotate"), nth }),
    fc.record({ type: is("project"), limits }),
    fc.record({ type: is("org"), limits }),
  ),
});
type Op = typeof step extends fc.Arbitrary<{ op: infer O }> ? O : never;

interface Held {
  readonly tokens: string[];
  readonly keyIds: string[];
  readonly invitations: string[];
}

async function perform(plane: ControlPlane, op: Op, held: Held): Promise<unknown> {
  const { orgs, orgMembers, projectMembers, invitations, projects, keys } = plane;
  const pick = (list: readonly string[]) => ("nth" in op ? (list[op.nth % list.length] ?? "none") : "none");
  const given = { limits: ("limits" in op ? op.limits : undefined) ?? undefined };
  switch (op.type) {
    case "join":
      return orgMembers.add({ ...ORG, userId: op.user, role: op.role });
    case "orgRole":
      return orgMembers.setRole({ ...ORG, userId: op.user, role: op.role });
    case "leave":
      return orgMembers.remove({ ...ORG, userId: op.user });
    case "add":
      return projectMembers.add({ ...WEB, userId: op.user, role: op.role, ...given });
    case "remove":
      return projectMembers.remove({ ...WEB, userId: op.user });
    case "setRole":
      return projectMembers.setRole({ ...WEB, userId: op.user, role: op.role });
    case "setLimits":
      return projectMembers.setLimits({ ...WEB, userId: op.user, limits: op.limits });
    case "invite": {
      const projects = [{ projectId: "web", role: op.projectRole, ...given }];
      return held.invitations.push((await invitations.create({ ...ORG, role: op.role, projects })).token);
    }
    case "accept":
      return invitations.accept({ token: pick(held.invitations) });
    case "create": {
      const { key, token } = await keys.create({ ...WEB, userId: op.user, ...given });
      held.keyIds.push(key.id);
      return held.tokens.push(token);
    }
    case "rotate":
      return held.tokens.push((await keys.rotate({ keyId: pick(held.keyIds) })).token);
    case "project":
      return projects.update({ ...WEB, limits: op.limits });
    case "org":
      return orgs.update({ ...ORG, limits: op.limits });
  }
}

/** Whether a write was done. */
async function isDone(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof TollgateError) return false;
    throw error;
  }
}

async function worldOf(): Promise<{ gate: Gate; storage: Storage }> {
  const storage = memoryStorage();
  const gate = createGate({ policy, storage, clock: { now: () => START } });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "acme", name: "Acme" });
  await olga.projects.create({ ...ORG, id: "web", name: "Web" });
  for (const [userId, role] of Object.entries({ bea: "boss", pia: "people", sid: "member", mel: "member" }))
    await olga.orgMembers.add({ ...ORG, userId, role });
  for (const userId of ["bea", "pia"])
    await olga.projectMembers.add({ ...WEB, userId, role: "member", limits: BOUND });
  return { gate, storage };
}

/** What an attacker does with any power beyond the bound: to give Mel, or one of them, something without limits. */
async function takeAll(gate: Gate): Promise<void> {
  for (const userId of ATTACKERS) {
    const { projectMembers } = gate.as({ userId });
    await isDone(projectMembers.add({ ...WEB, userId: "mel", role: "member" }));
    for (const other of ATTACKERS)
      await isDone(projectMembers.setLimits({ ...WEB, userId: other, limits: null }));
  }
}

/** Every membership and key that lets more through than the bound. */
async function beyond(storage: Storage): Promise<unknown[]> {
  const [org, project] = [await storage.get("org", "acme"), await storage.get("project", "web")];
  const members = await storage.find("projectMember", WEB);
  const keys = (await storage.find("key", WEB)).filter(({ status }) => status === "active");
  const rpmOf = (of: { readonly limits?: Limits | undefined } | undefined) =>
    of?.limits?.rpm ?? Number.POSITIVE_INFINITY;
  const around = Math.min(rpmOf(org), rpmOf(project));
  const holders = new Map(members.map((member) => [member.userId, rpmOf(member)]));
  return [
    ...members.filter((member) => Math.min(rpmOf(member), around) > 2),
    ...keys.filter((key) => {
      const holder = holders.get(key.userId) ?? Number.POSITIVE_INFINITY;
      return Math.min(rpmOf(key), holder, around) > 2;
    }),
  ];
}

test("law: people whose org roles reach into a project, but who are bounded in it, give nothing beyond, whatever they do together", async () => {
  const seen = new Map<string, number>();
  const run = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
    const { gate, storage } = await worldOf();
    const held: Held = { tokens: [], keyIds: [], invitations: [] };
    const trace: unknown[] = [];
    for (const { by, op } of steps) {
      const token = typeof by === "number" ? (held.tokens[by % held.tokens.length] ?? "") : "";
      const who = typeof by === "string" ? { userId: by } : { token };
      if (!(await isDone(perform(gate.as(who), op, held)))) continue;
      trace.push({ by, op });
      seen.set(op.type, (seen.get(op.type) ?? 0) + 1);
      // An org or a project that is bounded itself keeps everything to it for the moment.
      if (op.type !== "project" && op.type !== "org") await takeAll(gate);
      const found = await beyond(storage);
      expect({ trace: found.length > 0 ? trace : [], found }).toEqual({ trace: [], found: [] });
    }
    await gate.close();
  });
  await fc.assert(run, { numRuns: 150 });
  for (const type of ["join", "orgRole", "add", "remove", "setRole", "invite", "create", "project", "org"])
    expect({ type, some: seen.has(type) }).toEqual({ type, some: true });
});
