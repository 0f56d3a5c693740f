import { describe, expect, it } from "vitest";
import { definePolicy, type Policy, type Principal } from "../../src/policy/index.js";
import { cells } from "./domain.js";
import { specified } from "./specification.js";

/** One policy that has everything a policy can have: each kind of grant, cap and condition, in the orgs of the domain. */
const policy: Policy = definePolicy({
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: {
    base: { "doc.read": "own" },
    boss: { "doc.read": "all", "doc.print": { reach: "all", when: "mfa" }, "org.audit": "all" },
  },
  projectRoles: {
    editor: { "doc.read": { reach: "all", when: "office", otherwise: "own" }, "doc.print": "all" },
    guest: { "doc.read": { reach: "own", when: "mfa" } },
  },
  conditions: { mfa: "a second factor", office: "office hours" },
  caps: {
    freeze: { at: "project", projects: [{ orgId: "org", projectId: "here" }], permissions: ["doc.read"] },
    guard: {
      at: "project",
      projects: [
        { orgId: "org", projectId: "elsewhere" },
        { orgId: "otherOrg", projectId: "here" },
      ],
      permissions: ["doc.read", "doc.print"],
      unless: "mfa",
    },
    abroad: { at: "org", orgIds: ["otherOrg"], permissions: ["doc.read", "doc.print"] },
    audits: { at: "org", permissions: ["org.audit"], unless: "office" },
  },
  baseOrgRole: "base",
});

const boss: Principal = { userId: "me", orgId: "org", orgRole: "boss", projectRoles: {} };
const base: Principal = {
  userId: "me",
  orgId: "org",
  orgRole: "base",
  projectRoles: { here: "editor", elsewhere: "editor", nowhere: "editor" },
};

it("authorize is what the specification says, on every cell of a policy that has everything", () => {
  for (const { principal, permission, resource, conditions } of cells(policy.spec)) {
    const verdict = policy.authorize(principal, permission, resource, conditions);
    const expected = specified(policy.spec, principal, permission, resource, conditions);
    if (JSON.stringify(verdict) !== JSON.stringify(expected)) {
      expect({ principal, permission, resource, conditions, verdict }).toEqual(expected);
    }
  }
});

describe("a cap on projects", () => {
  it("leaves everything of the org visible but them, until a condition lifts it", () => {
    expect(policy.visible(boss, "doc.read")).toEqual({
      projectIds: [],
      own: false,
      allBut: ["here", "elsewhere"],
    });
    expect(policy.visible(boss, "doc.read", { mfa: true })).toEqual({
      projectIds: [],
      own: false,
      allBut: ["here"],
    });
    expect(policy.visible(boss, "doc.print", { mfa: true })).toEqual({ all: true });
  });

  it("leaves one's own visible in the whole org but them, and everything where a project role reaches it", () => {
    expect(policy.visible(base, "doc.read")).toEqual({
      projectIds: [],
      own: false,
      ownBut: ["here", "elsewhere"],
    });
    expect(policy.visible(base, "doc.read", { office: true, mfa: true })).toEqual({
      projectIds: ["elsewhere", "nowhere"],
      own: false,
      ownBut: ["here"],
    });
  });

  it("takes a project out of the list of those that a role reaches", () => {
    expect(policy.visible(base, "doc.print")).toEqual({ projectIds: ["here", "nowhere"], own: false });
  });
});

describe("a condition", () => {
  const print = (conditions: object) =>
    policy.authorize(boss, "doc.print", { orgId: "org", projectId: "here" }, conditions).allowed;

  it("holds where it is said to, and not where it is said not to, left out, or inherited", () => {
    expect(print({ mfa: true })).toBe(true);
    expect(print({ mfa: false })).toBe(false);
    expect(print({})).toBe(false);
    expect(print(Object.create({ mfa: true }))).toBe(false);
    expect(print({ mfa: "yes" })).toBe(false);
  });
});
