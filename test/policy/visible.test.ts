import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Policy,
  type Principal,
  type Resource,
  standardPolicy,
  type Visible,
} from "../../src/policy/index.js";
import { anyPolicy, anyQuestion } from "./arbitraries.js";
import { cells } from "./domain.js";

/** How a list is filtered by what is visible to a principal. */
function shows(seen: Visible, principal: Principal, { orgId, projectId = "", userId }: Resource): boolean {
  if (orgId !== principal.orgId) return false;
  if (seen.all || seen.projectIds.includes(projectId)) return true;
  if (seen.allBut !== undefined) return !seen.allBut.includes(projectId);
  if (seen.ownBut !== undefined) return userId === principal.userId && !seen.ownBut.includes(projectId);
  if (!seen.own || userId !== principal.userId) return false;
  return seen.ownProjectIds === undefined || seen.ownProjectIds.includes(projectId);
}

function expectEqual(policy: Policy): void {
  for (const { principal, permission, resource, conditions } of cells(policy.spec)) {
    const { allowed } = policy.authorize(principal, permission, resource, conditions);
    if (shows(policy.visible(principal, permission, conditions), principal, resource) !== allowed) {
      expect({ principal, permission, resource, conditions, allowed }).toBe(
        "visible if allowed, and only then",
      );
    }
  }
}

describe("visible equals authorize", () => {
  it("on every cell of the standard policy", () => expectEqual(standardPolicy));

  it("on every cell of random policies", () => {
    fc.assert(fc.property(anyPolicy, expectEqual), { numRuns: 40 });
  });

  it("on random questions, with ids empty or inherited by every object", () => {
    fc.assert(
      fc.property(anyQuestion, ({ policy, principal, permission, resource, conditions }) => {
        const verdict = policy.authorize(principal, permission, resource, conditions);
        fc.pre(verdict.allowed || verdict.reason !== "invalid_resource");
        expect(shows(policy.visible(principal, permission, conditions), principal, resource)).toBe(
          verdict.allowed,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

it("names each project once, in one list, and says `own` exactly when there is some", () => {
  fc.assert(
    fc.property(anyQuestion, ({ policy, principal, permission, conditions }) => {
      const seen = policy.visible(principal, permission, conditions);
      if (seen.all) return;
      const named = [...seen.projectIds, ...(seen.ownProjectIds ?? [])];
      expect(new Set(named).size).toBe(named.length);
      if (seen.ownProjectIds) expect(seen.own && seen.ownProjectIds.length > 0).toBe(true);
    }),
  );
});

describe("with the standard policy", () => {
  const member: Principal = {
    userId: "mia",
    orgId: "acme",
    orgRole: "member",
    projectRoles: { web: "admin", ml: "member" },
  };

  it("an owner sees everything of the org", () => {
    const owner = { ...member, orgRole: "owner" };
    expect(standardPolicy.visible(owner, "project.view")).toEqual({ all: true });
  });

  it("a member sees the projects they were added to", () => {
    expect(standardPolicy.visible(member, "project.view")).toEqual({ projectIds: ["web", "ml"], own: false });
  });

  it("an admin sees every key of the project, a member their own", () => {
    expect(standardPolicy.visible(member, "key.view")).toEqual({
      projectIds: ["web"],
      own: true,
      ownProjectIds: ["ml"],
    });
  });

  it("a key sees its own project and no other, also when its holder is an owner", () => {
    const via = { keyId: "k", projectId: "ml" };
    const owner = { ...member, orgRole: "owner", via };
    expect(standardPolicy.visible(owner, "key.view")).toEqual({ projectIds: ["ml"], own: false });
    expect(standardPolicy.visible(owner, "audit.view")).toEqual({ projectIds: [], own: false });
    const own = { projectIds: [], own: true, ownProjectIds: ["ml"] };
    expect(standardPolicy.visible({ ...member, via }, "key.view")).toEqual(own);
  });

  it("nobody sees anything by a permission or a role that the policy does not have", () => {
    const nothing = { projectIds: [], own: false };
    const { orgRole: _, ...gone } = member;
    expect(standardPolicy.visible(gone, "project.view")).toEqual(nothing);
    expect(standardPolicy.visible({ ...member, orgRole: "emperor" }, "project.view")).toEqual(nothing);
    // @ts-expect-error a permission that the policy does not have
    expect(standardPolicy.visible(member, "project.paint")).toEqual(nothing);
  });
});

it("an org role that reaches one's own shows it in the whole org, without a list of projects", () => {
  const policy = standardPolicy.extend({ raise: { orgRoles: { member: { "usage.view": "own" } } } });
  const member: Principal = {
    userId: "mia",
    orgId: "acme",
    orgRole: "member",
    projectRoles: { web: "admin", ml: "member" },
  };
  expect(policy.visible(member, "usage.view")).toEqual({ projectIds: ["web"], own: true });
});

it("a principal without ids sees nothing, since nothing has an empty id", () => {
  const nobody = { userId: "", orgId: "", orgRole: "owner", projectRoles: { "": "admin" } };
  expect(standardPolicy.visible(nobody, "key.view")).toEqual({ projectIds: [], own: false });
  const nameless = {
    userId: "",
    orgId: "acme",
    orgRole: "member",
    projectRoles: { "": "admin", ml: "member" },
  };
  expect(standardPolicy.visible(nameless, "key.view")).toEqual({ projectIds: [], own: false });
});
