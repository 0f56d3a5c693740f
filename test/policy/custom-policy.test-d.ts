/** What the compiler promises about conditions, caps and assignments. Checked by `npm run types`; it is never run. */
import {
  definePolicy,
  type Policy,
  type PolicySpec,
  type Principal,
  type StandardPolicy,
  standardPolicy,
} from "../../src/policy/index.js";

declare const someone: Principal;
const org = { orgId: "o" };

const policy = standardPolicy.extend({
  permissions: { "report.read": "owned" },
  conditions: { mfa: "a second factor", officeHours: "office hours" },
  orgRoles: {
    auditor: {
      "audit.view": { reach: "all", when: "mfa" },
      "report.read": { reach: "all", when: "officeHours", otherwise: "own" },
    },
  },
  projectRoles: { viewer: { "report.read": { reach: "own", when: "mfa" } } },
  raise: { orgRoles: { owner: { "report.read": { reach: "all", when: "mfa" } } } },
  caps: {
    freeze: { at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["report.read"] },
    money: { at: "org", orgIds: ["o"], permissions: ["billing.manage", "report.read"], unless: "mfa" },
  },
});

// ── conditions are known by name
policy.authorize(someone, "audit.view", org, { mfa: true, officeHours: false });
policy.authorize(someone, "audit.view", org, {});
policy.visible(someone, "audit.view", { mfa: true });
// @ts-expect-error a condition that the policy does not have
policy.authorize(someone, "audit.view", org, { moonlight: true });
// @ts-expect-error a condition holds or does not
policy.authorize(someone, "audit.view", org, { mfa: "yes" });
// @ts-expect-error a condition that the policy does not have
policy.visible(someone, "audit.view", { moonlight: true });
// @ts-expect-error the standard policy has no conditions
standardPolicy.authorize(someone, "audit.view", org, { mfa: true });

standardPolicy.extend({
  // @ts-expect-error a grant under a condition that the policy does not have
  orgRoles: { auditor: { "audit.view": { reach: "all", when: "mfa" } } },
});
standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  // @ts-expect-error a permission about the org has nothing that is one's own
  orgRoles: { auditor: { "audit.view": { reach: "own", when: "mfa" } } },
});
standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  // @ts-expect-error a project is nobody's own, with or without a condition
  projectRoles: { viewer: { "project.view": { reach: "all", when: "mfa", otherwise: "own" } } },
});
standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  // @ts-expect-error a grant of nothing needs no condition
  projectRoles: { viewer: { "key.view": { reach: "none", when: "mfa" } } },
});
standardPolicy.extend({
  conditions: { mfa: "a second factor" },
  // @ts-expect-error a project role cannot reach the org, with or without a condition
  raise: { projectRoles: { admin: { "audit.view": { reach: "all", when: "mfa" } } } },
});
policy.extend({
  // @ts-expect-error a condition that is taken
  conditions: { mfa: "another" },
});

// ── caps
policy.extend({
  // @ts-expect-error a cap id that is taken
  caps: { freeze: { at: "org", permissions: ["key.create"] } },
});
policy.extend({
  // @ts-expect-error an unknown permission
  caps: { thaw: { at: "org", permissions: ["key.paint"] } },
});
policy.extend({
  // @ts-expect-error a cap on a project says nothing about the org
  caps: { thaw: { at: "project", projects: [{ orgId: "o", projectId: "p" }], permissions: ["audit.view"] } },
});
policy.extend({
  // @ts-expect-error a project is named with its org
  caps: { thaw: { at: "project", projects: [{ projectId: "p" }], permissions: ["key.create"] } },
});
policy.extend({
  // @ts-expect-error a cap that an unknown condition lifts
  caps: { thaw: { at: "org", permissions: ["key.create"], unless: "moonlight" } },
});
policy.extend({
  // @ts-expect-error a cap is on a scope, never on a role
  caps: { thaw: { at: "org", permissions: ["key.create"], roles: ["auditor"] } },
});
policy.extend({
  caps: { thaw: { at: "org", permissions: ["key.create"], unless: "officeHours" } },
});

// ── roles that are handed out
policy.canAssign(someone, someone, { orgRole: "auditor" });
policy.canAssign(someone, someone, { projectId: "p", projectRole: "viewer" });
// @ts-expect-error a role that the policy does not have
policy.canAssign(someone, someone, { orgRole: "emperor" });
// @ts-expect-error a project role is for a project
policy.canAssign(someone, someone, { projectRole: "viewer" });
// @ts-expect-error an org role is no project role
policy.canAssign(someone, someone, { projectId: "p", projectRole: "auditor" });
const given = policy.canAssign(someone, someone, { orgRole: "auditor" });
if (!given.allowed && given.reason === "beyond_actor") given.permission satisfies string;
// @ts-expect-error what is allowed goes beyond nothing
if (given.allowed) given.permission;

// ── a policy with more serves where one with less is wanted, and is data
const standard: StandardPolicy = policy;
standard.authorize(someone, "project.create", org, { mfa: true });
policy satisfies Policy;
const stored: PolicySpec = policy.spec;
definePolicy(stored).authorize(someone, "whatever", org, { whatever: true });
// @ts-expect-error what was checked cannot be changed
policy.spec.conditions.mfa = "other";
// @ts-expect-error as above
policy.spec.caps.freeze.permissions.push("key.view");

// ── what a configuration has or not is given as it is, with `exactOptionalPropertyTypes` too
declare const configured: { orgIds?: string[]; audit?: "all"; mfa?: "mfa" };
const loose = standardPolicy.extend({
  permissions: { "doc.read": "owned" },
  conditions: { mfa: "a second factor" },
  orgRoles: {
    auditor: {
      "audit.view": configured.audit,
      "doc.read": { reach: "all", when: "mfa", otherwise: undefined },
    },
  },
  projectRoles: undefined,
  raise: { orgRoles: { owner: undefined }, projectRoles: { admin: { "doc.read": configured.audit } } },
  caps: {
    freeze: { at: "org", orgIds: configured.orgIds, permissions: ["doc.read"], unless: configured.mfa },
  },
  rows: undefined,
});
loose.authorize(someone, "doc.read", { orgId: "o", projectId: "p", userId: "u" }, { mfa: true });
loose.canAssign(someone, someone, { orgRole: "auditor", projectId: undefined });
// @ts-expect-error a permission that the extension does not have
loose.authorize(someone, "doc.burn", org);
standardPolicy.extend({
  // @ts-expect-error an unknown permission, granted or not
  orgRoles: { auditor: { "audit.burn": configured.audit } },
});
