import fc from "fast-check";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { TollgateError } from "../../../src/model/errors.js";
import type { Limits } from "../../../src/model/limits.js";
import { memoryStorage } from "../../../src/storage/memory.js";
import type { Storage } from "../../../src/storage/storage.js";

export const USERS = ["ann", "ben", "cem", "dan", "eva", "fay"] as const;
export const PROJECTS = ["p0", "p1", "p2"] as const;
export const ORG = "acme";

/** A world of one org that is acted upon, and of another that must not notice. Two gates share its records. */
export interface World {
  readonly clock: { time: number; now(): number };
  readonly storage: Storage;
  readonly gates: readonly [Gate, Gate];
  /** Every token ever handed out, and to whom. */
  readonly tokens: { token: string; keyId: string; projectId: string; holder: string; issuedTo: string }[];
  readonly invitations: { id: string; token: string }[];
}

const user = fc.constantFrom(...USERS);
const project = fc.constantFrom(...PROJECTS);
const small = fc.integer({ min: 1, max: 12 });
const maybe = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: undefined });

export const someLimits: fc.Arbitrary<Limits> = fc
  .record({
    rpm: maybe(small),
    budget: maybe(fc.record({ usd: small, reset: fc.constantFrom("daily" as const, "monthly" as const) })),
    perModel: maybe(
      fc.dictionary(fc.constantFrom("a", "b/*"), fc.record({ rpm: small }), { minKeys: 1, maxKeys: 2 }),
    ),
  })
  .map((limits) => JSON.parse(JSON.stringify(limits)));

export const PATTERNS = ["a", "b/*", "b/c", "b/*/d", "*"] as const;
const models = fc.option(fc.subarray([...PATTERNS]), { nil: null });

const grant = {
  limits: maybe(someLimits),
  models: maybe(models),
  contentLogging: maybe(fc.boolean()),
  endsIn: maybe(small),
};

/** Anything that somebody may try. `by` is who: a user, or the nth token there is. */
export type Op = { readonly by: (typeof USERS)[number] | number; readonly gate: 0 | 1 } & Action;

const orgRole = fc.constantFrom("owner", "member");
const projectRole = fc.constantFrom("admin", "member");
const nth = fc.nat({ max: 20 });
const is = <T extends string>(type: T) => fc.constant(type);

const STATUS_VERBS = ["disable", "enable", "disable", "enable", "enable", "revoke"] as const;

const action = fc.oneof(
  fc.record({ type: is("orgMembers.add"), user, role: orgRole }),
  fc.record({ type: is("orgMembers.setRole"), user, role: orgRole }),
  fc.record({ type: is("orgMembers.remove"), user }),
  fc.record({
    type: is("projectMembers.add"),
    project,
    user,
    role: projectRole,
    limits: maybe(someLimits),
    endsIn: maybe(small),
  }),
  fc.record({ type: is("projectMembers.setRole"), project, user, role: projectRole }),
  fc.record({
    type: is("projectMembers.setLimits"),
    project,
    user,
    limits: fc.option(someLimits, { nil: null }),
  }),
  fc.record({ type: is("projectMembers.setExpiry"), project, user, endsIn: fc.option(small, { nil: null }) }),
  fc.record({ type: is("projectMembers.remove"), project, user }),
  fc.record({
    type: is("projects.create"),
    project,
    limits: maybe(someLimits),
    models: maybe(models),
    contentLogging: maybe(fc.boolean()),
  }),
  fc.record({
    type: is("projects.update"),
    project,
    limits: maybe(someLimits),
    models: maybe(models),
    contentLogging: maybe(fc.boolean()),
  }),
  fc.record({ type: is("projects.delete"), project }),
  fc.record({ type: is("keys.create"), project, user: maybe(user), ...grant }),
  fc.record({ type: is("keys.create"), project, user: maybe(user), ...grant }),
  fc.record({ type: is("keys.update"), nth, ...grant }),
  fc.record({ type: is("keys.status"), nth, verb: fc.constantFrom(...STATUS_VERBS) }),
  fc.record({ type: is("keys.rotate"), nth, graceMs: fc.constantFrom(0, 5) }),
  fc.record({
    type: is("invitations.create"),
    role: orgRole,
    project,
    projectRole,
    limits: maybe(someLimits),
    endsIn: maybe(small),
  }),
  fc.record({ type: is("invitations.accept"), nth }),
  fc.record({ type: is("invitations.revoke"), nth }),
  fc.record({ type: is("credits.grant"), usd: small }),
  fc.record({ type: is("virtualModels.create"), alias: fc.constantFrom("fast", "slow") }),
  fc.record({ type: is("orgs.update"), limits: maybe(someLimits) }),
  fc.record({ type: is("wait"), ms: small }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

export const someOp: fc.Arbitrary<Op> = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: user }, { weight: 1, arbitrary: nth }),
    fc.constantFrom(0 as const, 1 as const),
    action,
  )
  .map(([by, gate, given]) => ({ by, gate, ...given }));

/** Ann owns the org; Ben is an admin, and Cem a member, of p0; Dan is in the org; Eva and Fay are not. */
export async function createWorld(options: { auditDenied?: boolean } = {}): Promise<World> {
  const clock = { time: 1_000_000, now: () => clock.time };
  const storage = memoryStorage();
  const gates = [
    createGate({ storage, clock, ...options }),
    createGate({ storage, clock, ...options }),
  ] as const;
  const ann = gates[0].as({ userId: "ann" });
  await ann.orgs.create({ id: ORG, name: "Acme" });
  for (const userId of ["ben", "cem", "dan"])
    await ann.orgMembers.add({ orgId: ORG, userId, role: "member" });
  for (const id of ["p0", "p1"]) await ann.projects.create({ orgId: ORG, id, name: id });
  await ann.projectMembers.add({ orgId: ORG, projectId: "p0", userId: "ben", role: "admin" });
  await ann.projectMembers.add({ orgId: ORG, projectId: "p0", userId: "cem", role: "member" });
  await gates[0].as({ userId: "fay" }).orgs.create({ id: "other", name: "Other" });
  return { clock, storage, gates, tokens: [], invitations: [] };
}

/** Who an op is by: a user, or a holder through a token. */
export function doerOf(world: World, { by }: Op) {
  if (typeof by === "string") return { userId: by, token: undefined };
  const token = world.tokens[by % Math.max(1, world.tokens.length)];
  return token === undefined ? undefined : { userId: token.holder, token };
}

export type Outcome =
  | { readonly done: true; readonly result: unknown }
  | { readonly done: false; readonly error: TollgateError };

/** Tries an op. Whatever is thrown that is not one of Tollgate's errors passes. */
export async function perform(world: World, op: Op): Promise<Outcome> {
  const doer = doerOf(world, op);
  if (doer === undefined) return { done: true, result: undefined };
  const as = world.gates[op.gate].as(doer.token ? { token: doer.token.token } : { userId: doer.userId });
  try {
    return { done: true, result: await run(world, as, op, doer.userId) };
  } catch (error) {
    if (error instanceof TollgateError) return { done: false, error };
    throw error;
  }
}

async function run(world: World, as: ReturnType<Gate["as"]>, op: Op, doer: string): Promise<unknown> {
  const orgId = ORG;
  const at = (endsIn: number | undefined) => (endsIn === undefined ? undefined : world.clock.time + endsIn);
  const key = (nth: number) => world.tokens[nth % Math.max(1, world.tokens.length)];
  switch (op.type) {
    case "orgMembers.add":
      return as.orgMembers.add({ orgId, userId: op.user, role: op.role });
    case "orgMembers.setRole":
      return as.orgMembers.setRole({ orgId, userId: op.user, role: op.role });
    case "orgMembers.remove":
      return as.orgMembers.remove({ orgId, userId: op.user });
    case "projectMembers.add":
      return as.projectMembers.add({
        orgId,
        projectId: op.project,
        userId: op.user,
        role: op.role,
        limits: op.limits,
        expiresAt: at(op.endsIn),
      });
    case "projectMembers.setRole":
      return as.projectMembers.setRole({ orgId, projectId: op.project, userId: op.user, role: op.role });
    case "projectMembers.setLimits":
      return as.projectMembers.setLimits({
        orgId,
        projectId: op.project,
        userId: op.user,
        limits: op.limits,
      });
    case "projectMembers.setExpiry":
      return as.projectMembers.setExpiry({
        orgId,
        projectId: op.project,
        userId: op.user,
        expiresAt: at(op.endsIn ?? undefined) ?? null,
      });
    case "projectMembers.remove":
      return as.projectMembers.remove({ orgId, projectId: op.project, userId: op.user });
    case "projects.create":
      return as.projects.create({
        orgId,
        id: op.project,
        name: op.project,
        limits: op.limits,
        models: op.models,
        contentLogging: op.contentLogging,
      });
    case "projects.update":
      return as.projects.update({
        projectId: op.project,
        limits: op.limits,
        models: op.models,
        contentLogging: op.contentLogging,
      });
    case "projects.delete":
      return as.projects.delete({ projectId: op.project });
    case "keys.create": {
      const { limits, models, contentLogging } = op;
      const input = {
        orgId,
        projectId: op.project,
        userId: op.user,
        limits,
        models,
        contentLogging,
        expiresAt: at(op.endsIn),
      };
      const { key, token } = await as.keys.create(input);
      world.tokens.push({
        token,
        keyId: key.id,
        projectId: key.projectId,
        holder: key.userId,
        issuedTo: doer,
      });
      return key;
    }
    case "keys.update": {
      const { limits, models, contentLogging } = op;
      const found = key(op.nth);
      return (
        found &&
        as.keys.update({ keyId: found.keyId, limits, models, contentLogging, expiresAt: at(op.endsIn) })
      );
    }
    case "keys.status": {
      const found = key(op.nth);
      return found && as.keys[op.verb]({ keyId: found.keyId });
    }
    case "keys.rotate": {
      const found = key(op.nth);
      if (!found) return undefined;
      const { key: rotated, token } = await as.keys.rotate({ keyId: found.keyId, graceMs: op.graceMs });
      world.tokens.push({ ...found, token, issuedTo: doer });
      return rotated;
    }
    case "invitations.create": {
      const projects = [{ projectId: op.project, role: op.projectRole, limits: op.limits }];
      const membershipExpiresAt = op.role === "owner" ? undefined : at(op.endsIn);
      const { invitation, token } = await as.invitations.create({
        orgId,
        role: op.role,
        projects,
        membershipExpiresAt,
      });
      world.invitations.push({ id: invitation.id, token });
      return invitation;
    }
    case "invitations.accept": {
      const found = world.invitations[op.nth % Math.max(1, world.invitations.length)];
      return found && as.invitations.accept({ token: found.token });
    }
    case "invitations.revoke": {
      const found = world.invitations[op.nth % Math.max(1, world.invitations.length)];
      return found && as.invitations.revoke({ invitationId: found.id });
    }
    case "credits.grant":
      return as.credits.grant({ orgId, usd: op.usd });
    case "virtualModels.create":
      return as.virtualModels.create({ orgId, alias: op.alias, models: ["a", "b/c"] });
    case "orgs.update":
      return as.orgs.update({ orgId, limits: op.limits });
    case "wait":
      world.clock.time += op.ms;
      return undefined;
  }
}

const GIVING = [
  "keys.create",
  "keys.update",
  "keys.rotate",
  "keys.status",
  "projectMembers.setLimits",
  "projectMembers.setExpiry",
  "projectMembers.add",
  "projects.update",
];

/** The same, but mostly what gives somebody something, in one project and by those who are in it. */
export const someGivingOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 1, arbitrary: someOp },
  {
    weight: 9,
    arbitrary: someOp
      .filter(({ type }) => GIVING.includes(type))
      .map((op) => ({
        ...op,
        ...("project" in op && { project: "p0" as const }),
        by: typeof op.by === "string" ? (USERS[USERS.indexOf(op.by) % 3] ?? "ann") : op.by,
      })),
  },
);
