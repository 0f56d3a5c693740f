import fc from "fast-check";
import { expect, test } from "vitest";
import { listAllows } from "../../../src/model/patterns.js";
import type { Records } from "../../../src/model/records.js";
import { membershipId } from "../../../src/model/records.js";
import { createWorld, doerOf, type Op, ORG, perform, someGivingOp, type World } from "./world.js";

/** Models that tell every set of the world's patterns apart. */
const SAMPLES = ["a", "b/c", "b/e", "b/c/d", "b/x/y", "z", "z/z/z"];

type Said = "limits" | "models" | "contentLogging" | "expiresAt";
type Scope = { readonly [F in Said]?: Readonly<Records["key"][F]> | undefined };

const PERIODS = { daily: 1, weekly: 7, monthly: 28, never: 1e9 };

/** The most that a scope lets through, by brute force: one number for each question that can be asked. */
function most(scope: Scope, question: { kind: "rpm" | "daily" | "monthly"; model: string }): number {
  const { limits, models } = scope;
  if (models && !listAllows(models, question.model)) return 0;
  if (limits === undefined) return Number.POSITIVE_INFINITY;
  const parts = [
    limits,
    ...Object.entries(limits.perModel ?? {}).flatMap(([pattern, part]) =>
      listAllows([pattern], question.model) ? [part] : [],
    ),
  ];
  return Math.min(
    ...parts.map(({ rpm, budget }) => {
      if (question.kind === "rpm") return rpm ?? Number.POSITIVE_INFINITY;
      const budgets = budget === undefined ? [] : [budget].flat();
      // What may be spent in a period is bounded by each budget whose own period is at least as long.
      const bounds = budgets.filter(({ reset }) => PERIODS[reset] >= PERIODS[question.kind as "daily"]);
      return Math.min(Number.POSITIVE_INFINITY, ...bounds.map(({ usd }) => Number(usd)));
    }),
  );
}

const QUESTIONS = (["rpm", "daily", "monthly"] as const).flatMap((kind) =>
  SAMPLES.map((model) => ({ kind, model })),
);

/** What all the scopes together let through. */
function together(scopes: readonly Scope[], question: (typeof QUESTIONS)[number]): number {
  return Math.min(...scopes.map((scope) => most(scope, question)));
}

function endOf(scopes: readonly Scope[]): number {
  return Math.min(...scopes.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY));
}

function logs(scopes: readonly Scope[]): boolean {
  return scopes.every(({ contentLogging }) => contentLogging !== false);
}

interface Held {
  readonly org: Scope;
  readonly project: Scope;
  readonly owns: boolean;
  /** Whether they may change the project, so that it keeps nobody to what they have. */
  readonly administers: boolean;
  readonly own: Scope | undefined;
  readonly via: Records["key"] | undefined;
  /** What was there before: to take away from it gives nothing. */
  readonly before: Scope | undefined;
}

async function heldBy(world: World, op: Op, projectId: string): Promise<Held | undefined> {
  const { storage } = world;
  const doer = doerOf(world, op);
  if (doer === undefined) return undefined;
  const member = await storage.get("orgMember", membershipId(ORG, doer.userId));
  const own = await storage.get("projectMember", membershipId(ORG, projectId, doer.userId));
  const changed =
    op.type === "projectMembers.setLimits" || op.type === "projectMembers.setExpiry"
      ? membershipId(ORG, op.project, op.user)
      : undefined;
  return {
    org: (await storage.get("org", ORG)) ?? {},
    project: (await storage.get("project", projectId)) ?? {},
    owns: member?.role === "owner",
    administers: member?.role === "owner" || own?.role === "admin",
    own,
    via: doer.token && (await storage.get("key", doer.token.keyId)),
    before: changed === undefined ? undefined : await storage.get("projectMember", changed),
  };
}

/** Nothing that was given lets more through, for longer, or logs more, than what the actor has it under, or than before. */
function expectWithin(op: Op, given: readonly Scope[], { owns, own, via, before }: Held): void {
  const bounds: Scope[] = [...(via ? [via] : []), ...(own && !owns ? [own] : [])];
  for (const bound of bounds) {
    for (const question of QUESTIONS) {
      const [got, has] = [together(given, question), most(bound, question)];
      if (before && got <= most(before, question)) continue;
      expect({ op, question, got: Math.min(got, has) }).toEqual({ op, question, got });
    }
    if (!(before && endOf(given) <= endOf([before])))
      expect(endOf(given)).toBeLessThanOrEqual(endOf([bound]));
    if (logs(given)) expect(logs([bound])).toBe(true);
  }
}

async function holderScope({ storage }: World, key: Records["key"]): Promise<Scope> {
  const member = await storage.get("orgMember", membershipId(ORG, key.userId));
  const membership = await storage.get("projectMember", membershipId(ORG, key.projectId, key.userId));
  return {
    limits: membership?.limits,
    expiresAt: member?.role === "owner" ? undefined : membership?.expiresAt,
  };
}

/** What a key says itself is no more than what something around it says. */
function expectSaidWithin(op: Op, { limits, models, expiresAt, contentLogging }: Scope, outer: Scope): void {
  const budgetOf = (of: Scope["limits"], least: number) =>
    [of?.budget ?? []]
      .flat()
      .filter(({ reset }) => PERIODS[reset] >= least)
      .map(({ usd }) => Number(usd));
  for (const model of SAMPLES)
    if (models && listAllows(models, model))
      expect({ op, model, ok: listAllows(outer.models, model) }).toEqual({ op, model, ok: true });
  expect(limits?.rpm ?? 0).toBeLessThanOrEqual(outer.limits?.rpm ?? Number.POSITIVE_INFINITY);
  for (const { usd, reset } of [limits?.budget ?? []].flat()) {
    expect(Number(usd)).toBeLessThanOrEqual(
      Math.min(Number.POSITIVE_INFINITY, ...budgetOf(outer.limits, PERIODS[reset])),
    );
  }
  if (expiresAt !== undefined) expect(expiresAt).toBeLessThanOrEqual(endOf([outer]));
  if (contentLogging && op.type === "keys.update") expect(outer.contentLogging).not.toBe(false);
}

test("nobody creates, updates, rotates, restores or gives a membership with more than they have", async () => {
  const seen = new Map<string, number>();
  const run = fc.asyncProperty(fc.array(someGivingOp, { minLength: 10, maxLength: 60 }), async (ops) => {
    const world = await createWorld();
    for (const op of ops) {
      const target = "nth" in op ? world.tokens[op.nth % Math.max(1, world.tokens.length)] : undefined;
      const projectId = "project" in op ? op.project : (target?.projectId ?? "");
      const held = await heldBy(world, op, projectId);
      const outcome = await perform(world, op);
      if (held === undefined || !outcome.done || outcome.result === undefined) continue;
      const { org, project, administers } = held;
      const fixed = administers ? [org] : [project, org];
      const restores = op.type === "keys.status" && op.verb === "enable";
      if (op.type === "keys.create" || op.type === "keys.rotate" || restores) {
        const { id } = outcome.result as { id: string }; // sound: each of them returns the key
        const key = await world.storage.get("key", id);
        if (key === undefined) throw new Error("a key that was returned is stored");
        const holder = await holderScope(world, key);
        expectWithin(op, [key, holder, ...fixed], held);
        for (const outer of [holder, project, org]) expectSaidWithin(op, key, outer);
      } else if (
        op.type === "projectMembers.add" ||
        op.type === "projectMembers.setLimits" ||
        op.type === "projectMembers.setExpiry"
      ) {
        const membership = await world.storage.get("projectMember", membershipId(ORG, op.project, op.user));
        const { limits, expiresAt } = membership ?? {};
        const { owns, own } = held;
        // Each verb gives its own part; models and logging are not a membership's to give.
        const bound = {
          limits: op.type === "projectMembers.setExpiry" ? undefined : own?.limits,
          expiresAt: op.type === "projectMembers.setLimits" ? undefined : own?.expiresAt,
        };
        expectWithin(op, [{ limits, expiresAt }, ...fixed.map(({ limits }) => ({ limits }))], {
          ...held,
          via: undefined,
          own: owns ? undefined : bound,
        });
      } else if (op.type === "keys.update" && target !== undefined) {
        // An update answers for what it gives, and for nothing that was tightened around it meanwhile.
        const key = await world.storage.get("key", target.keyId);
        if (key === undefined) throw new Error("a key that was updated is stored");
        const end = op.endsIn === undefined ? undefined : key.expiresAt;
        const said = {
          limits: op.limits,
          models: op.models,
          contentLogging: op.contentLogging,
          expiresAt: end,
        };
        for (const outer of [await holderScope(world, key), project, org]) expectSaidWithin(op, said, outer);
      } else continue;
      seen.set(op.type, (seen.get(op.type) ?? 0) + 1);
    }
  });
  await fc.assert(run, { numRuns: 150 });
  for (const type of ["keys.create", "keys.update", "keys.rotate", "keys.status", "projectMembers.add"]) {
    expect({ type, some: (seen.get(type) ?? 0) > 5 }).toEqual({ type, some: true });
  }
});
