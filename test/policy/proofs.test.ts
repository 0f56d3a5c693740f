import { describe, expect, it } from "vitest";
import { type StandardPermission, standardPolicy } from "../../src/policy/index.js";
import { type Claims, idle, laws, type NamesOf, prove, survivors } from "../../src/testing.js";

const { permissions } = standardPolicy.spec;
// Sound: the keys of a literal are those of its type.
const all = Object.keys(permissions) as StandardPermission[];
const aboutOrg = all.filter((permission) => permissions[permission] === "org");
const keys = all.filter((permission) => permissions[permission] === "owned");
const run = all.filter(
  (permission) => permission.startsWith("projectMember.") || permission === "project.update",
);

const claims: Claims<NamesOf<typeof standardPolicy>> = {
  ...laws,
  "nobody does anything about the org without the owner role": {
    of: { kind: "org" },
    onlyIf: { orgRole: "owner" },
  },
  "an owner does everything in the org, and is an admin of every project of it": {
    allowed: { orgRole: "owner" },
  },
  "whoever is only in the org may do nothing": { denied: { orgRole: "member", projectRole: null } },
  "only an owner creates or deletes a project": {
    of: { permission: ["project.create", "project.delete"] },
    onlyIf: { orgRole: "owner" },
  },
  "a project is seen by whoever was added to it, and by owners": {
    of: { permission: "project.view" },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: ["admin", "member"] }],
  },
  "a project and its members are run by its admins, and by owners": {
    of: { permission: run },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: "admin" }],
  },
  "everybody in a project manages their own keys and sees their own usage there": {
    of: { permission: keys, own: true },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: ["admin", "member"] }],
  },
  "other people's keys and usage are for admins of the project, and owners": {
    of: { permission: keys, own: false },
    exactlyIf: [{ orgRole: "owner" }, { orgRole: "member", projectRole: "admin" }],
  },
};

describe("the standard policy", () => {
  it("is proved on every cell", () => {
    // Principals: 2 org roles or none, 2 project roles or none in each of two projects, 3 ways to act; 2 orgs.
    const inProjects = 3 * 3 * 3 * 3 * 2 * (8 + 2 * 7);
    const inOrg = 3 * 3 * 3 * 3 * 2 * 18;
    expect(prove(standardPolicy, claims)).toEqual({ cells: inProjects + inOrg });
    expect([aboutOrg.length, keys.length]).toEqual([18, 7]);
  });

  it("is pinned down: no rule can be changed without a claim that notices", () => {
    const { mutants, noticed, survivors: left } = survivors(standardPolicy, claims);
    expect(left).toEqual([]);
    expect(noticed).toBe(1);
    // A grant of each role: none or all (18 + 8 in the org, 8 in a project), or none, own or all (7, 7).
    expect(mutants).toBe(2 * (26 + 7 * 2) + 2 * (8 + 7 * 2));
  });

  it("has no rule that changes nothing", () => {
    expect(idle(standardPolicy)).toEqual([]);
  });
});

describe("a custom role", () => {
  it("never exceeds what was raised", () => {
    const policy = standardPolicy.extend({
      orgRoles: { auditor: { "audit.view": "all", "usage.view": "all" } },
      projectRoles: { viewer: { "project.view": "all", "usage.view": "own" } },
    });
    prove(policy, {
      ...laws,
      "an auditor without a project sees the audit trail and all usage, and nothing else": {
        of: { orgRole: "auditor", projectRole: null },
        exactlyIf: { permission: ["audit.view", "usage.view"] },
      },
      "a viewer sees the project and their own usage, and nothing else": {
        of: { orgRole: "member", projectRole: "viewer" },
        exactlyIf: [{ permission: "project.view" }, { permission: "usage.view", own: true }],
      },
      "what was there before is as it was": (cell) =>
        cell.orgRole === "auditor" ||
        cell.projectRole === "viewer" ||
        cell.otherProjectRole === "viewer" ||
        policy.authorize(cell.principal, cell.permission, cell.resource).allowed ===
          standardPolicy.authorize(cell.principal, cell.permission, {
            projectId: "",
            userId: "",
            ...cell.resource,
          }).allowed,
    });
  });
});
