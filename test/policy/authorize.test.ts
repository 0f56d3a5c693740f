import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Policy, type Principal, standardPolicy } from "../../src/policy/index.js";
import { anyPolicy, anyQuestion } from "./arbitraries.js";
import { cells } from "./domain.js";
import { specified } from "./specification.js";

const { authorize } = standardPolicy;

const admin: Principal = {
  userId: "ada",
  orgId: "acme",
  orgRole: "member",
  projectRoles: { web: "admin", ml: "member" },
};
const owner: Principal = { userId: "olga", orgId: "acme", orgRole: "owner", projectRoles: {} };
const key = { keyId: "k1", projectId: "web" };

/** Holds the compiled table against the specification on every cell, and counts the cells. */
function expectSpecified(policy: Policy): number {
  let count = 0;
  for (const { principal, permission, resource, conditions } of cells(policy.spec)) {
    const verdict = policy.authorize(principal, permission, resource, conditions);
    const wanted = specified(policy.spec, principal, permission, resource, conditions);
    // Compared as text first: a matcher on each of so many cells would take minutes.
    if (JSON.stringify(verdict) !== JSON.stringify(wanted)) {
      expect({ principal, permission, resource, conditions, verdict }).toEqual({ verdict: wanted });
    }
    count++;
  }
  return count;
}

describe("the compiled table is the specification", () => {
  it("on every cell of the standard policy", () => {
    // 4 org roles, 4 × 4 project roles, 3 ways to act, 34 permissions, 12 places.
    expect(expectSpecified(standardPolicy)).toBe(4 * 4 * 4 * 3 * 34 * 12);
  });

  it("on every cell of random policies", () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => void expectSpecified(policy)),
      { numRuns: 40 },
    );
  });

  it("on random questions to random policies, with ids missing, empty or inherited by every object", () => {
    fc.assert(
      fc.property(anyQuestion, ({ policy, principal, permission, resource, conditions }) => {
        expect(policy.authorize(principal, permission, resource, conditions)).toEqual(
          specified(policy.spec, principal, permission, resource, conditions),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a verdict", () => {
  it("names the rule that granted it", () => {
    expect(authorize(owner, "project.create", { orgId: "acme" })).toEqual({
      allowed: true,
      by: "org:owner/project.create",
    });
    const others = { orgId: "acme", projectId: "web", userId: "bob" };
    expect(authorize(admin, "key.revoke", others)).toEqual({
      allowed: true,
      by: "project:admin/key.revoke",
    });
  });

  it("is one frozen object for one rule, so that nobody changes another caller's", () => {
    const allowed = authorize(owner, "project.create", { orgId: "acme" });
    const denied = authorize(admin, "project.create", { orgId: "acme" });
    expect(Object.isFrozen(allowed) && Object.isFrozen(denied)).toBe(true);
    expect(authorize({ ...owner }, "project.create", { orgId: "acme" })).toBe(allowed);
  });

  it.each([
    ["unknown_permission", admin, "project.paint", { orgId: "acme" }],
    ["invalid_resource", admin, "key.view", { orgId: "acme", projectId: "web" }],
    ["invalid_resource", admin, "key.view", { orgId: "acme", userId: "ada" }],
    ["invalid_resource", admin, "project.view", { orgId: "acme", projectId: "" }],
    ["invalid_resource", admin, "project.create", {}],
    ["invalid_resource", admin, "project.create", { orgId: ["acme"] }],
    ["invalid_resource", admin, "project.create", null],
    ["invalid_resource", admin, "project.create", undefined],
    ["other_org", owner, "project.create", { orgId: "umbrella" }],
    ["not_in_org", { ...admin, orgRole: undefined }, "project.view", { orgId: "acme", projectId: "web" }],
    ["key_confined", { ...owner, via: key }, "project.create", { orgId: "acme" }],
    ["key_confined", { ...owner, via: key }, "project.view", { orgId: "acme", projectId: "ml" }],
    ["unknown_role", { ...admin, orgRole: "emperor" }, "project.view", { orgId: "acme", projectId: "web" }],
    [
      "unknown_role",
      { ...admin, projectRoles: { web: "emperor" } },
      "project.view",
      { orgId: "acme", projectId: "web" },
    ],
    ["not_granted", admin, "project.view", { orgId: "acme", projectId: "ops" }],
    ["not_granted", admin, "project.delete", { orgId: "acme", projectId: "web" }],
  ])("is %s", (reason, principal, permission, resource) => {
    const ask: (...question: unknown[]) => unknown = authorize as never; // Sound: plain JavaScript may ask anything.
    expect(ask(principal, permission, resource)).toEqual({ allowed: false, reason });
  });

  it("looks at the first reason that holds, in the documented order", () => {
    const stranger = { userId: "eve", orgId: "evil", projectRoles: {}, via: key };
    const ask: (...question: unknown[]) => unknown = authorize as never; // Sound: plain JavaScript may ask anything.
    expect(ask(stranger, "nothing", {})).toMatchObject({ reason: "unknown_permission" });
    expect(ask(stranger, "key.view", { orgId: "acme" })).toMatchObject({ reason: "invalid_resource" });
    expect(ask(stranger, "project.create", { orgId: "acme" })).toMatchObject({ reason: "other_org" });
    expect(ask(stranger, "project.create", { orgId: "evil" })).toMatchObject({ reason: "not_in_org" });
    const unknown = { ...stranger, orgRole: "emperor" };
    expect(ask(unknown, "project.create", { orgId: "evil" })).toMatchObject({ reason: "key_confined" });
  });
});

describe("roles", () => {
  it("add up: the grants of an org role and of a project role hold together", () => {
    const policy = standardPolicy.extend({
      orgRoles: { auditor: { "audit.view": "all", "key.view": "own" } },
    });
    const both: Principal = { ...admin, orgRole: "auditor" };
    expect(policy.authorize(both, "audit.view", { orgId: "acme" }).allowed).toBe(true);
    const keys = { orgId: "acme", projectId: "web", userId: "bob" };
    expect(policy.authorize(both, "key.view", keys)).toMatchObject({ by: "project:admin/key.view" });
    const mine = { orgId: "acme", projectId: "elsewhere", userId: "ada" };
    expect(policy.authorize(both, "key.view", mine)).toMatchObject({ by: "org:auditor/key.view" });
  });

  it("an owner is an admin of every project of the org, without a membership record", () => {
    const project = { orgId: "acme", projectId: "created-by-someone", userId: "bob" };
    expect(authorize(owner, "projectMember.add", project).allowed).toBe(true);
    expect(authorize(owner, "key.revoke", project).allowed).toBe(true);
  });

  it("an unknown project role takes nothing from what an org role grants", () => {
    const odd: Principal = { ...owner, projectRoles: { web: "emperor" } };
    expect(authorize(odd, "project.view", { orgId: "acme", projectId: "web" }).allowed).toBe(true);
  });

  it("one of another policy is unknown here", () => {
    const policy = standardPolicy.extend({ projectRoles: { viewer: { "project.view": "all" } } });
    const viewer: Principal = { ...admin, projectRoles: { web: "viewer" } };
    const web = { orgId: "acme", projectId: "web" };
    expect(policy.authorize(viewer, "project.view", web).allowed).toBe(true);
    expect(authorize(viewer, "project.view", web)).toEqual({ allowed: false, reason: "unknown_role" });
  });
});

it("a policy's functions need no `this`, so they can be passed along", () => {
  const { visible, extend } = standardPolicy;
  expect(visible(owner, "key.view")).toEqual({ all: true });
  expect(extend({}).spec).toEqual(standardPolicy.spec);
});
