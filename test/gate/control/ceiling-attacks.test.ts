import fc from "fast-check";
import { expect, test } from "vitest";
import type { ControlPlane } from "../../../src/gate/control/control-plane.js";
import { createGate } from "../../../src/gate/gate.js";
import { TollgateError } from "../../../src/model/errors.js";
import type { Limits } from "../../../src/model/limits.js";
import { listAllows } from "../../../src/model/patterns.js";
import type { Records } from "../../../src/model/records.js";
import { memoryStorage } from "../../../src/storage/memory.js";

const WEB = { orgId: "acme", projectId: "web" };
const START = Date.UTC(2026, 4, 15, 12);
const END = START + 1_000;
const BOUND: Limits = { rpm: 2, budget: { usd: 1, reset: "weekly" } };
/** Ann owns the org; Ada and Mel are admins of its project, Mia and Tom members; Bob is in the org alone. */
const USERS = ["ann", "ada", "mel", "mia", "tom", "bob"] as const;

/** What the attacker has at first: a membership, or nothing but the token of a key of one of these. */
type Attacker = "ada" | { readonly keyOf: "ann" | "ada" };

/** What something lets through: of each number, how much. */
type Reach = Readonly<Record<"rpm" | "weekly" | "models" | "end" | "logs", number>>;
type Scope = Partial<Pick<Records["key"], "limits" | "models" | "expiresAt" | "contentLogging">>;

const ANY = Number.POSITIVE_INFINITY;
const NONE: Reach = { rpm: 0, weekly: 0, models: 0, end: 0, logs: 0 };

function reachOf(scopes: readonly Scope[]): Reach {
  const least = (number: (scope: Scope) => number) => Math.min(...scopes.map(number));
  return {
    rpm: least(({ limits }) => limits?.rpm ?? ANY),
    // A month's budget keeps no week to it, and a day's neither.
    weekly: least(({ limits }) =>
      Math.min(
        ANY,
        ...[limits?.budget ?? []]
          .flat()
          .flatMap(({ usd, reset }) => (reset === "weekly" || reset === "never" ? [Number(usd)] : [])),
      ),
    ),
    models: least(({ models }) => (listAllows(models, "other") ? 1 : 0)),
    end: least(({ expiresAt }) => expiresAt ?? ANY),
    logs: least(({ contentLogging }) => (contentLogging === false ? 0 : 1)),
  };
}

const limits = fc.constantFrom<Limits | null>(
  BOUND,
  BOUND,
  null,
  null,
  { rpm: 2, budget: { usd: 1, reset: "monthly" } },
  { rpm: 9, budget: { usd: 1, reset: "weekly" } },
  { rpm: 2 },
);
const end = fc.constantFrom(END, END, null, END + 1);
const list = fc.constantFrom<string[] | null>(["a"], ["a"], null);
const user = fc.constantFrom(...USERS);
const nth = fc.nat({ max: 15 });
const maybe = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: undefined });
const is = <T extends string>(type: T) => fc.constant(type);

const step = fc.record({
  /** The attacker, or Bob, as themselves, or the nth token in their hands. */
  by: fc.oneof(fc.constantFrom("ada" as const, "ada" as const, "bob" as const), nth),
  op: fc.oneof(
    fc.record({ type: is("create"), user: maybe(user), limits, end, list, logs: maybe(fc.boolean()) }),
    fc.record({
      type: is("create"),
      user: maybe(user),
      limits,
      end: fc.constant(END),
      list: fc.constant<string[] | null>(["a"]),
      logs: fc.constant(false),
    }),
    fc.record({
      type: is("update"),
      nth,
      limits: maybe(limits),
      end: maybe(end),
      list: maybe(list),
      logs: maybe(fc.boolean()),
    }),
    fc.record({ type: is("rotate"), nth }),
    fc.record({ type: is("status"), nth, verb: fc.constantFrom("disable" as const, "enable" as const) }),
    fc.record({ type: is("add"), user, role: fc.constantFrom("admin", "member"), limits, end }),
    fc.record({ type: is("remove"), user }),
    fc.record({ type: is("setRole"), user, role: fc.constantFrom("admin", "member") }),
    fc.record({ type: is("setLimits"), user, limits }),
    fc.record({ type: is("setExpiry"), user, end }),
    fc.record({ type: is("project"), limits: maybe(limits), list: maybe(list), logs: maybe(fc.boolean()) }),
  ),
});
type Op = typeof step extends fc.Arbitrary<{ op: infer O }> ? O : never;

function perform({ keys, projectMembers, projects }: ControlPlane, op: Op, keyIds: readonly string[]) {
  const keyId = "nth" in op ? (keyIds[op.nth % keyIds.length] ?? "none") : "none";
  const contentLogging = "logs" in op ? op.logs : undefined;
  switch (op.type) {
    case "create": {
      const given = { limits: op.limits ?? undefined, expiresAt: op.end ?? undefined, models: op.list };
      return keys.create({ ...WEB, userId: op.user, ...given, contentLogging });
    }
    case "update":
      return keys.update({ keyId, limits: op.limits, expiresAt: op.end, models: op.list, contentLogging });
    case "rotate":
      return keys.rotate({ keyId });
    case "status":
      return keys[op.verb]({ keyId });
    case "add": {
      const given = { limits: op.limits ?? undefined, expiresAt: op.end ?? undefined };
      return projectMembers.add({ ...WEB, userId: op.user, role: op.role, ...given });
    }
    case "remove":
      return projectMembers.remove({ ...WEB, userId: op.user });
    case "setRole":
      return projectMembers.setRole({ ...WEB, userId: op.user, role: op.role });
    case "setLimits":
      return projectMembers.setLimits({ ...WEB, userId: op.user, limits: op.limits });
    case "setExpiry":
      return projectMembers.setExpiry({ ...WEB, userId: op.user, expiresAt: op.end });
    case "project":
      return projects.update({ projectId: "web", limits: op.limits, models: op.list, contentLogging });
  }
}

async function worldOf(attacker: Attacker) {
  const clock = { time: START, now: () => clock.time };
  const storage = memoryStorage();
  const gate = createGate({ clock, storage });
  const as = (userId: string) => gate.as({ userId });
  const { orgs, projects, orgMembers, projectMembers, keys } = as("ann");
  await orgs.create({ id: "acme", name: "Acme" });
  await projects.create({ orgId: "acme", id: "web", name: "Web" });
  for (const userId of USERS.slice(1)) await orgMembers.add({ orgId: "acme", userId, role: "member" });
  await projectMembers.add({ ...WEB, userId: "ann", role: "member", limits: BOUND });
  for (const userId of ["ada", "mel"]) await projectMembers.add({ ...WEB, userId, role: "admin" });
  await projectMembers.add({ ...WEB, userId: "mia", role: "member" });
  await projectMembers.add({ ...WEB, userId: "tom", role: "member", expiresAt: START + 1 });
  for (const userId of ["mia", "tom"])
    await keys.create({ ...WEB, id: userId, userId, expiresAt: START + 1 });
  const held: string[] = [];
  if (attacker === "ada") {
    // What Ada was handed before she came under a bound is hers; what she gives by it is not.
    for (const userId of ["mel", "mia"]) held.push((await as("ada").keys.create({ ...WEB, userId })).token);
    await projectMembers.setLimits({ ...WEB, userId: "ada", limits: BOUND });
    await projectMembers.setExpiry({ ...WEB, userId: "ada", expiresAt: END });
  } else {
    const scope = { limits: BOUND, models: ["a"], expiresAt: END, contentLogging: false };
    held.push((await as(attacker.keyOf).keys.create({ ...WEB, ...scope })).token);
  }
  clock.time += 1;

  /** What each key and each membership of the project lets through now, alone or under the project; nothing where it is over. */
  async function reaches(isUnderProject: boolean): Promise<Map<string, Reach>> {
    const [project, members, made] = await Promise.all([
      storage.get("project", "web"),
      storage.find("projectMember", WEB),
      storage.find("key", WEB),
    ]);
    const around: Scope[] = isUnderProject && project ? [project] : [];
    const lives = ({ end, ...reach }: Reach) => (end > clock.time ? { ...reach, end } : NONE);
    const scopeOf = (userId: string): Scope => {
      const found = members.find((member) => member.userId === userId);
      if (userId === "ann") return { limits: found?.limits };
      return found ?? { expiresAt: 0 };
    };
    return new Map([
      ...members.map(({ id, ...member }) => [id, lives(reachOf([member, ...around]))] as const),
      ...made.map((key) => {
        const reach = lives(reachOf([key, scopeOf(key.userId), ...around]));
        return [key.id, key.status === "active" ? reach : NONE] as const;
      }),
    ]);
  }
  return { gate, held, reaches };
}

const attackers: readonly Attacker[] = ["ada", { keyOf: "ada" }, { keyOf: "ann" }];

test.each(attackers)(
  "whatever %o does in any number of steps, nothing that it gives goes beyond its bounds",
  async (attacker) => {
    const bound = reachOf([
      attacker === "ada"
        ? { limits: BOUND, expiresAt: END }
        : { limits: BOUND, models: ["a"], expiresAt: END, contentLogging: false },
    ]);
    let done = 0;
    const run = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const { gate, held, reaches } = await worldOf(attacker);
      // What is there already may stay as it is; what is over, or switched off, is given when it comes back.
      let before = await reaches(false);
      const trace: unknown[] = [];
      for (const { by, op } of steps) {
        const person = attacker === "ada" ? by : by === "ada" ? 0 : by;
        const who =
          typeof person === "string" ? { userId: person } : { token: held[person % held.length] ?? "" };
        try {
          const made = await perform(
            gate.as(who),
            op,
            [...before.keys()].filter((id) => !id.startsWith("[")),
          );
          if (made && "token" in made) held.push(made.token);
        } catch (error) {
          if (error instanceof TollgateError) continue;
          throw error;
        }
        done++;
        trace.push({ who: "userId" in who ? who.userId : held.indexOf(who.token), op });
        const [after, alone] = [await reaches(true), await reaches(false)];
        for (const [id, reach] of after) {
          const had = before.get(id) ?? NONE;
          for (const [what, most] of Object.entries(bound)) {
            const name = what as keyof Reach; // sound: a bound has the keys of a reach
            if (reach[name] > Math.max(most, had[name]))
              expect({ trace, id, what, got: reach[name] }).toBe("within");
          }
        }
        before = new Map([...alone].map(([id, reach]) => [id, had(before.get(id), reach)]));
      }
      await gate.close();
    });
    await fc.assert(run, { numRuns: 60 });
    expect(done).toBeGreaterThan(120);
  },
);

/** What a thing may go on to have: what it had at first, as long as it has not been over since. */
function had(first: Reach | undefined, now: Reach): Reach {
  return first === undefined || now.end === 0 ? NONE : first;
}
