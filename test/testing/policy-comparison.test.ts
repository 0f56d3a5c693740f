import fc from "fast-check";
import { expect, it } from "vitest";
import {
  definePolicy,
  type Kind,
  type Policy,
  type PolicyData,
  type Principal,
  type Resource,
  standardPolicy,
} from "../../src/policy/index.js";
import { cells, diff, diffToMarkdown, idle, snapshot } from "../../src/testing.js";
import { anyPolicy, raisedPolicy } from "../policy/arbitraries.js";
import { situations } from "../policy/domain.js";

/** Every place that a cap of a random policy may name, and some that none does. */
const places = ["org", "otherOrg", "anyOrg"].flatMap((orgId) =>
  ["here", "elsewhere", "constructor", "nowhere"].map((projectId) => ({ orgId, projectId })),
);

const kinds: readonly Kind[] = ["org", "project", "owned"];

/** What the roles of two policies add up to, with all conditions of both. */
function both({ spec: a }: Policy, { spec: b }: Policy): PolicyData {
  const permissions = Object.fromEntries(
    [...Object.entries(a.permissions), ...Object.entries(b.permissions)].map(([id]) => {
      const kindIn = (spec: PolicyData) =>
        Object.hasOwn(spec.permissions, id) ? spec.permissions[id] : "org";
      return [id, kinds.findLast((kind) => kind === kindIn(a) || kind === kindIn(b)) ?? "org"];
    }),
  );
  return {
    ...a,
    permissions,
    orgRoles: { ...a.orgRoles, ...b.orgRoles },
    projectRoles: { ...a.projectRoles, ...b.projectRoles },
    conditions: { ...a.conditions, ...b.conditions },
  };
}

/** Every question that people and keys may ask, under every combination of all conditions. */
function* questions(spec: PolicyData) {
  for (const [permission, kind] of Object.entries(spec.permissions)) {
    for (const { orgId, projectId } of places) {
      for (const orgRole of Object.keys(spec.orgRoles)) {
        for (const projectRole of [undefined, ...Object.keys(spec.projectRoles)]) {
          for (const own of kind === "owned" ? [true, false] : [false]) {
            const resource: Resource = {
              orgId,
              ...(kind !== "org" && { projectId }),
              ...(kind === "owned" && { userId: own ? "me" : "you" }),
            };
            for (const key of [undefined, projectId, "somewhere"]) {
              for (const conditions of situations(spec)) {
                yield { permission, orgRole, projectRole, key, own, projectId, resource, conditions };
              }
            }
          }
        }
      }
    }
  }
}

type Question = ReturnType<typeof questions> extends Generator<infer Q> ? Q : never;

/** What a policy answers to somebody who has, of their roles, those that it knows. */
function verdictOf({ spec, authorize }: Policy, question: Question) {
  const { orgRole, projectRole, key, projectId, permission, resource, conditions } = question;
  const principal: Principal = {
    userId: "me",
    orgId: resource.orgId,
    orgRole: Object.hasOwn(spec.orgRoles, orgRole) ? orgRole : spec.baseOrgRole,
    projectRoles:
      projectRole !== undefined && Object.hasOwn(spec.projectRoles, projectRole)
        ? { [projectId]: projectRole }
        : {},
    ...(key !== undefined && { via: { keyId: "key", projectId: key } }),
  };
  return authorize(principal, permission, resource as Required<Resource>, conditions);
}

it("a diff tells what the product over all conditions tells, and nothing else", () => {
  fc.assert(
    fc.property(fc.oneof(fc.tuple(anyPolicy, anyPolicy), raisedPolicy.map(Object.values)), (pair) => {
      const [before, after] = pair as [Policy, Policy];
      const expected = new Set<string>();
      for (const question of questions(both(before, after))) {
        const was = verdictOf(before, question);
        const is = verdictOf(after, question);
        if (was.allowed === is.allowed) continue;
        expected.add(JSON.stringify([question.permission, question.own, was, is]));
      }
      const told = diff(before, after).changes.map((change) =>
        JSON.stringify([change.permission, change.cell.own, change.before, change.after]),
      );
      expect(new Set(told)).toEqual(expected);
      expect(told).toHaveLength(expected.size);
    }),
  );
});

/** Of how many combinations of conditions one is looked at: those that no rule about a permission names double it. */
function alike(permission: string, ...specs: readonly PolicyData[]): number {
  const rules = specs.flatMap((spec) => [
    ...[spec.orgRoles, spec.projectRoles].flatMap(Object.values).map((grants) => grants[permission]),
    ...Object.values(spec.caps).filter((cap) => cap.permissions.includes(permission)),
  ]);
  const names = Object.keys(specs[0]?.conditions ?? {});
  const named = names.filter((name) =>
    rules.some((rule) => typeof rule === "object" && [rule.when, rule.unless].includes(name)),
  );
  return 2 ** (names.length - named.length);
}

it("a diff counts a cell once, whether or not conditions hold that do not matter to its permission", () => {
  fc.assert(
    fc.property(raisedPolicy, ({ before, after }) => {
      const counts = { gained: 0, lost: 0 };
      for (const { principal, permission, resource, conditions } of cells(before)) {
        const asked = [principal, permission, resource as Required<Resource>, conditions] as const;
        const [was, is] = [before.authorize(...asked), after.authorize(...asked)];
        const share = 1 / alike(permission, before.spec, after.spec);
        if (is.allowed && !was.allowed) counts.gained += share;
        if (was.allowed && !is.allowed) counts.lost += share;
      }
      expect(diff(before, after)).toMatchObject(counts);
    }),
  );
});

it("conditions that no rule names change no snapshot, no diff and nothing that is idle", () => {
  const named = ["hasOwnProperty", "z"];
  const conditions = Object.fromEntries(named.map((name) => [name, "in words"]));
  fc.assert(
    fc.property(raisedPolicy, ({ before, after }) => {
      const [wide, wider] = [before, after].map((policy): Policy => policy.extend({ conditions }));
      if (wide === undefined || wider === undefined) throw new Error("two policies are two");
      expect(snapshot(wide)).toBe(snapshot(before));
      expect(idle(wide)).toEqual(idle(before));
      expect(diff(wide, wider)).toEqual(diff(before, after));
    }),
  );
});

/** A policy without one rule, by the rule's id. */
function without({ spec }: Policy, rule: string): Policy {
  const [scope = "", role = "", permission = ""] = rule.split(/[:/]/);
  const { [role]: cap, ...caps } = spec.caps;
  if (scope === "cap" && cap !== undefined) {
    const permissions = cap.permissions.filter((id) => id !== permission);
    const left = permissions.length === 0 ? {} : { [role]: { ...cap, permissions } };
    return definePolicy({ ...spec, caps: { ...caps, ...left } });
  }
  const roles = scope === "org" ? "orgRoles" : "projectRoles";
  return definePolicy({
    ...spec,
    [roles]: { ...spec[roles], [role]: { ...spec[roles][role], [permission]: "none" } },
  });
}

it("idle is what the product over all conditions can do without", () => {
  fc.assert(
    fc.property(anyPolicy, (policy) => {
      const { orgRoles, projectRoles, caps } = policy.spec;
      const granted = (scope: string, roles: typeof orgRoles) =>
        Object.entries(roles).flatMap(([role, grants]) =>
          Object.entries(grants)
            .filter(([, grant]) => grant !== "none")
            .map(([permission]) => `${scope}:${role}/${permission}`),
        );
      const rules = [
        ...granted("org", orgRoles),
        ...granted("project", projectRoles),
        ...Object.entries(caps).flatMap(([id, cap]) => cap.permissions.map((one) => `cap:${id}/${one}`)),
      ];
      const all = [...questions(policy.spec)];
      const expected = rules.filter((rule) => {
        const less = without(policy, rule);
        return all.every(
          (question) => verdictOf(policy, question).allowed === verdictOf(less, question).allowed,
        );
      });
      expect(idle(policy).sort()).toEqual(expected.sort());
    }),
  );
});

it("two policies of six conditions each are compared, permission by permission", () => {
  const raise = (prefix: string): Policy =>
    standardPolicy.extend({
      conditions: Object.fromEntries([..."abcdef"].map((name) => [prefix + name, "in words"])),
      raise: {
        projectRoles: {
          member: {
            "key.create": { reach: "all", when: `${prefix}a`, otherwise: "own" },
            "key.view": { reach: "all", when: `${prefix}b`, otherwise: "own" },
          } as object,
        },
      },
    });
  const { changes, gained, lost } = diff(raise("x"), raise("y"));
  expect(gained).toBe(lost);
  expect(changes.map(({ words }) => words)).toEqual(
    ["key.create", "key.view"].flatMap((permission) => {
      const names = permission === "key.create" ? ["xa", "ya"] : ["xb", "yb"];
      return [0, 1].map(
        (held) =>
          `an org member who is member of the project${names.map((name, i) => `, ${i === held ? "with" : "without"} ${name}`).join("")} ` +
          `asks for ${permission} on what is somebody else's in the project`,
      );
    }),
  );
  expect(diffToMarkdown(diff(raise("x"), raise("x")))).toBe("No cell of the policy changes.");
});

it("two hundred project roles are compared and told without a look at every pair of them", () => {
  const roles = (reach: "own" | "all") =>
    Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`role${at}`, { "key.view": reach }]));
  let asked = 0;
  const counted = (policy: Policy): Policy => ({
    ...policy,
    authorize(...question: Parameters<Policy["authorize"]>) {
      asked++;
      return policy.authorize(...question);
    },
  });
  const before = counted(standardPolicy.extend({ projectRoles: roles("own") }));
  const after = counted(standardPolicy.extend({ projectRoles: roles("all") }));
  const { changes, gained } = diff(before, after);
  expect(changes).toHaveLength(200);
  // A person or a key of the project, without a role in another project or with any of all.
  expect(gained).toBe(200 * 2 * (1 + 2 + 200));
  expect(snapshot(after).split("\n")).toContain("  an org member who is role199 of the project");
  expect(idle(after)).toEqual([]);
  // With each pair of them there would be millions.
  expect(asked).toBeLessThan(1_000_000);
});
