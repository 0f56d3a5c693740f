import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { firstBeyond } from "../../src/policy/assignment.js";
import { type Policy, type Principal, type RoleGiven, standardPolicy } from "../../src/policy/index.js";
import { anyPolicy, principalOf } from "./arbitraries.js";
import { resources, situations } from "./domain.js";

const policy = standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  orgRoles: {
    people: { "orgMember.setRole": "all", "orgMember.view": "all" },
    keeper: { "key.revoke": { reach: "all", when: "mfa" } },
  },
  projectRoles: { janitor: { "key.revoke": { reach: "all", when: "mfa", otherwise: "own" } } },
});

const owner: Principal = { userId: "olga", orgId: "acme", orgRole: "owner", projectRoles: {} };
const admin: Principal = { userId: "ada", orgId: "acme", orgRole: "member", projectRoles: { web: "admin" } };
const nobody: Principal = { userId: "ned", orgId: "acme", orgRole: "member", projectRoles: {} };
const newcomer: Principal = { userId: "noa", orgId: "acme", projectRoles: {} };

describe("an actor hands out", () => {
  it("what they hold", () => {
    expect(policy.canAssign(owner, nobody, { orgRole: "owner" })).toEqual({ allowed: true });
    expect(policy.canAssign(admin, nobody, { projectId: "web", projectRole: "admin" })).toEqual({
      allowed: true,
    });
    expect(policy.canAssign(admin, nobody, { projectId: "web", projectRole: "janitor" })).toEqual({
      allowed: true,
    });
    expect(policy.canAssign(admin, newcomer, { orgRole: "member" })).toEqual({ allowed: true });
  });

  it.each<[string, Principal, Principal, RoleGiven<"owner" | "people" | "keeper", "admin">, object]>([
    ["more of the org", admin, nobody, { orgRole: "people" }, { permission: "orgMember.view" }],
    [
      "a role in a project that is not theirs",
      admin,
      nobody,
      { projectId: "ml", projectRole: "admin" },
      { permission: "project.view", projectId: "ml" },
    ],
    [
      "a role that counts only once its holder is in the org",
      admin,
      newcomer,
      { projectId: "ml", projectRole: "admin" },
      { permission: "project.view", projectId: "ml" },
    ],
    [
      "a role that counts only once its holder's org role is known",
      admin,
      { ...nobody, orgRole: "gone" },
      { projectId: "ml", projectRole: "admin" },
      { permission: "project.view", projectId: "ml" },
    ],
    [
      "every project, having one",
      { ...admin, orgRole: "people" },
      nobody,
      { orgRole: "keeper" },
      { permission: "key.revoke" },
    ],
    [
      "by a key, more than its project",
      { ...owner, via: { keyId: "k", projectId: "web" } },
      nobody,
      { projectId: "ml", projectRole: "admin" },
      { permission: "project.view", projectId: "ml" },
    ],
  ])("not %s", (_, actor, target, role, beyond) => {
    expect(policy.canAssign(actor, target, role)).toStrictEqual({
      allowed: false,
      reason: "beyond_actor",
      ...beyond,
    });
  });

  it("not without a condition what they hold with one", () => {
    const janitor: Principal = { ...nobody, userId: "jan", projectRoles: { web: "janitor" } };
    const small = policy.extend({
      projectRoles: { revoker: { "key.revoke": "all" }, own: { "key.revoke": "own" } },
    });
    expect(small.canAssign(janitor, nobody, { projectId: "web", projectRole: "revoker" })).toEqual({
      allowed: false,
      reason: "beyond_actor",
      permission: "key.revoke",
      projectId: "web",
    });
    for (const projectRole of ["janitor", "own"] as const) {
      expect(small.canAssign(janitor, nobody, { projectId: "web", projectRole })).toEqual({ allowed: true });
    }
  });

  it("not what a cap keeps from both for now", () => {
    const frozen = policy.extend({
      projectRoles: { revoker: { "key.revoke": "all" }, viewer: { "project.view": "all" } },
      caps: { freeze: { at: "org", permissions: ["key.revoke"] } },
    });
    const viewer: Principal = { ...nobody, userId: "vic", projectRoles: { web: "viewer" } };
    expect(frozen.canAssign(viewer, nobody, { projectId: "web", projectRole: "revoker" })).toMatchObject({
      reason: "beyond_actor",
    });
  });

  it("not the project roles that wait for somebody who comes into the org", () => {
    const waiting: Principal = { ...newcomer, projectRoles: { ml: "admin" } };
    expect(policy.canAssign(admin, waiting, { orgRole: "member" })).toMatchObject({
      reason: "beyond_actor",
      projectId: "ml",
    });
    expect(policy.canAssign(owner, waiting, { orgRole: "member" })).toEqual({ allowed: true });
  });

  it("not what the target's roles would add up to in that project", () => {
    const other: Principal = { ...nobody, orgRole: "owner" };
    expect(policy.canAssign(admin, other, { projectId: "web", projectRole: "member" })).toMatchObject({
      permission: "project.delete",
    });
  });

  it("nothing across orgs, nothing while not in the org, and no role that there is not", () => {
    const stranger: Principal = { ...nobody, orgId: "umbrella" };
    const denied = (reason: string) => ({ allowed: false, reason });
    expect(policy.canAssign(owner, stranger, { orgRole: "member" })).toEqual(denied("other_org"));
    expect(policy.canAssign(newcomer, nobody, { orgRole: "member" })).toEqual(denied("not_in_org"));
    const loose: Policy = policy;
    for (const role of ["toString", "admin", ""]) {
      expect(loose.canAssign(owner, nobody, { orgRole: role })).toEqual(denied("unknown_role"));
    }
  });

  it.each([
    ["no project", { projectRole: "admin" }],
    ["a project without an id", { projectId: "", projectRole: "admin" }],
    ["no role", { projectId: "web" }],
    ["a project role beside an org role", { orgRole: "member", projectId: "ml", projectRole: "admin" }],
    ["a project beside an org role", { orgRole: "member", projectId: "ml" }],
  ])("nothing of a role that is not one: %s", (_, role) => {
    for (const actor of [owner, admin, nobody]) {
      // Sound: plain JavaScript may pass anything, such as what a request says.
      expect(() => policy.canAssign(actor, nobody, role as never)).toThrow(ValidationError);
    }
  });

  it("nothing by a role that the policy does not have", () => {
    const janitor = { projectId: "web", projectRole: "janitor" } as const;
    const emperor: Principal = { ...admin, orgRole: "emperor" };
    expect(policy.canAssign(emperor, nobody, janitor)).toMatchObject({ reason: "beyond_actor" });
    const odd: Principal = { ...admin, projectRoles: { web: "toString" } };
    expect(policy.canAssign(odd, nobody, janitor)).toMatchObject({ reason: "beyond_actor" });
    // And a target with such a role is given nothing by it: what waits for them begins to count now.
    const waiting: Principal = { ...nobody, orgRole: "emperor", projectRoles: { ml: "admin" } };
    expect(policy.canAssign(admin, waiting, { orgRole: "member" })).toMatchObject({ projectId: "ml" });
  });

  it("an org role without a look at the project roles that count already", () => {
    const already: Principal = { ...nobody, projectRoles: { ml: "admin" } };
    expect(policy.canAssign(admin, already, { orgRole: "member" })).toEqual({ allowed: true });
  });

  it("by a key, roles of its project and none of the org", () => {
    const key: Principal = { ...owner, via: { keyId: "k", projectId: "web" } };
    expect(policy.canAssign(key, nobody, { projectId: "web", projectRole: "admin" })).toEqual({
      allowed: true,
    });
    const audit = policy.extend({ orgRoles: { auditor: { "audit.view": "all" } } });
    expect(audit.canAssign(key, nobody, { orgRole: "auditor" })).toEqual({
      allowed: false,
      reason: "beyond_actor",
      permission: "audit.view",
    });
  });
});

describe("firstBeyond", () => {
  const ownerInWeb: Principal = { ...nobody, orgRole: "owner" };

  it("names a permission that any one of several does not reach, whoever comes first", () => {
    expect(firstBeyond(policy.spec, [owner, admin], ownerInWeb)).toBe("project.create");
    expect(firstBeyond(policy.spec, [admin, owner], ownerInWeb)).toBe("project.create");
    expect(firstBeyond(policy.spec, [owner, owner], ownerInWeb)).toBeUndefined();
  });

  it("takes nothing that is reached in another org for reached", () => {
    const elsewhere: Principal = { ...owner, orgId: "umbrella" };
    expect(firstBeyond(policy.spec, [elsewhere], ownerInWeb)).toBe("project.create");
  });
});

it("whatever is reached after an assignment, the actor reaches or it was reached before", () => {
  const asked = anyPolicy.chain((any) => {
    const roles: RoleGiven[] = [
      ...Object.keys(any.spec.orgRoles).map((orgRole) => ({ orgRole })),
      ...Object.keys(any.spec.projectRoles).map((projectRole) => ({ projectId: "here", projectRole })),
    ];
    return fc.record({
      // Without caps, which hide what roles reach.
      policy: fc.constant(any),
      actor: principalOf(any),
      target: principalOf(any),
      role: fc.constantFrom(...roles),
    });
  });
  fc.assert(
    fc.property(asked, ({ policy, actor, target, role }) => {
      if (!policy.canAssign(actor, target, role).allowed) return;
      const { via: _, ...person } = target;
      const after: Principal =
        role.orgRole === undefined
          ? { ...person, projectRoles: { ...person.projectRoles, [role.projectId]: role.projectRole } }
          : { ...person, orgRole: role.orgRole };
      for (const permission of Object.keys(policy.spec.permissions)) {
        for (const resource of resources()) {
          for (const conditions of situations(policy.spec)) {
            const may = (who: Principal, whose: "own" | "other") =>
              policy.authorize(
                who,
                permission,
                { ...resource, userId: whose === "own" ? who.userId : "nobody" },
                conditions,
              ).allowed;
            for (const whose of ["own", "other"] as const) {
              if (!may(after, whose) || may(actor, whose) || may(person, whose)) continue;
              expect({ permission, resource, conditions, whose }).toBe("not handed out");
            }
          }
        }
      }
    }),
    { numRuns: 400 },
  );
});
