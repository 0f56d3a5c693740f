/** What the compiler promises about policies. Checked by `npm run types`; it is never run. */
import {
  definePolicy,
  matrix,
  type Policy,
  type PolicySpec,
  type Principal,
  type StandardPermission,
  type StandardPolicy,
  standardPolicy,
} from "../../src/policy/index.js";

declare const someone: Principal;

// ── authorize knows the permissions, and the resource that each takes
standardPolicy.authorize(someone, "project.create", { orgId: "o" });
standardPolicy.authorize(someone, "project.view", { orgId: "o", projectId: "p" });
standardPolicy.authorize(someone, "key.revoke", { orgId: "o", projectId: "p", userId: "u" });

// @ts-expect-error a permission that the policy does not have
standardPolicy.authorize(someone, "project.paint", { orgId: "o" });
// @ts-expect-error a key is in a project and somebody's: an org alone does not say which
standardPolicy.authorize(someone, "key.revoke", { orgId: "o" });
// @ts-expect-error a key is somebody's: a project alone does not say whose
standardPolicy.authorize(someone, "key.revoke", { orgId: "o", projectId: "p" });
// @ts-expect-error a project is named by its id, not by its org alone
standardPolicy.authorize(someone, "project.view", { orgId: "o" });
// @ts-expect-error every resource is in an org
standardPolicy.authorize(someone, "project.create", { projectId: "p" });
// @ts-expect-error a permission that the policy does not have
standardPolicy.visible(someone, "project.paint");

declare const either: "project.create" | "key.revoke";
// @ts-expect-error with one of two permissions, the resource must suit both
standardPolicy.authorize(someone, either, { orgId: "o" });

declare const anyOfThem: StandardPermission;
standardPolicy.authorize(someone, anyOfThem, { orgId: "o", projectId: "p", userId: "u" });

// ── a verdict says who granted it, or why not
const verdict = standardPolicy.authorize(someone, "project.create", { orgId: "o" });
if (verdict.allowed) verdict.by satisfies string;
// @ts-expect-error an allowed verdict has no reason
if (verdict.allowed) verdict.reason;
// @ts-expect-error a verdict is shared between callers and cannot be changed
verdict.allowed = true;

// ── what is visible is everything, or a list
const seen = standardPolicy.visible(someone, "key.view");
if (!seen.all) seen.projectIds satisfies readonly string[];
// @ts-expect-error where everything is visible there is no list to read
if (seen.all) seen.projectIds.length;

// ── a spec is checked where it is written
definePolicy({
  permissions: { "doc.read": "owned", "doc.print": "project", "org.audit": "org" },
  orgRoles: {
    boss: { "doc.read": "own", "org.audit": "all" },
    // @ts-expect-error a permission that the spec does not have
    guest: { "doc.burn": "all" },
  },
  baseOrgRole: "guest",
});
definePolicy({
  // @ts-expect-error there is no such kind
  permissions: { "doc.read": "global" },
  orgRoles: { guest: {} },
  baseOrgRole: "guest",
});
definePolicy({
  permissions: { "org.audit": "org" },
  // @ts-expect-error an org is nobody's own
  orgRoles: { guest: { "org.audit": "own" } },
  baseOrgRole: "guest",
});
definePolicy({
  permissions: { "doc.print": "project" },
  orgRoles: { guest: {} },
  // @ts-expect-error a project is nobody's own
  projectRoles: { editor: { "doc.print": "own" } },
  baseOrgRole: "guest",
});
definePolicy({
  permissions: { "org.audit": "org" },
  orgRoles: { guest: {} },
  // @ts-expect-error a project role cannot reach the org
  projectRoles: { editor: { "org.audit": "all" } },
  baseOrgRole: "guest",
});
definePolicy({
  permissions: { "org.audit": "org" },
  orgRoles: { guest: {} },
  // @ts-expect-error the base org role is one of the org roles
  baseOrgRole: "member",
});
definePolicy({
  permissions: { "org.audit": "org" },
  orgRoles: { guest: {} },
  baseOrgRole: "guest",
  // @ts-expect-error a question about one's own, of a permission about the org
  rows: [{ label: "Audit", ask: "own", permissions: ["org.audit"] }],
});

// ── an extension knows what is there, and what it adds
const extended = standardPolicy.extend({
  permissions: { "report.read": "owned", "report.schedule": "org" },
  orgRoles: { auditor: { "audit.view": "all", "report.read": "all" } },
  projectRoles: { viewer: { "project.view": "all", "report.read": "own" } },
  raise: { orgRoles: { owner: { "report.read": "all", "report.schedule": "all" } } },
  rows: [{ label: "Read reports", ask: "owned", permissions: ["report.read"] }],
});
extended.authorize(someone, "report.read", { orgId: "o", projectId: "p", userId: "u" });
extended.authorize(someone, "project.create", { orgId: "o" });
// @ts-expect-error a report is somebody's
extended.authorize(someone, "report.read", { orgId: "o", projectId: "p" });
// @ts-expect-error a permission that neither policy has
extended.authorize(someone, "report.burn", { orgId: "o" });
extended.extend({ raise: { orgRoles: { auditor: { "billing.view": "all" } } } });

standardPolicy.extend({
  // @ts-expect-error a permission id that is taken
  permissions: { "key.revoke": "org" },
});
standardPolicy.extend({
  // @ts-expect-error an org role that is taken
  orgRoles: { owner: {} },
});
standardPolicy.extend({
  // @ts-expect-error a project role that is taken
  projectRoles: { admin: {} },
});
standardPolicy.extend({
  // @ts-expect-error an unknown permission
  orgRoles: { auditor: { "audit.burn": "all" } },
});
standardPolicy.extend({
  // @ts-expect-error a role that is not there cannot be raised
  raise: { orgRoles: { auditor: { "audit.view": "all" } } },
});
standardPolicy.extend({
  // @ts-expect-error a project role cannot be raised to the org
  raise: { projectRoles: { admin: { "audit.view": "all" } } },
});

const small = definePolicy({
  permissions: { "org.audit": "org" },
  orgRoles: { owner: {}, member: {} },
  baseOrgRole: "member",
});
// @ts-expect-error a policy without the standard permissions is no standard policy
small satisfies StandardPolicy;

// ── any policy is a Policy, which takes names and resources that only run time knows
const any: Policy = extended;
const standard: StandardPolicy = extended;
standard.authorize(someone, "project.create", { orgId: "o" });
matrix(extended);
declare const fromJson: {
  permissions: Record<string, "org" | "project" | "owned">;
  orgRoles: Record<string, Record<string, "none" | "all">>;
  baseOrgRole: string;
};
const loaded: Policy = definePolicy(fromJson);
loaded.authorize(someone, "whatever", { orgId: "o" });
loaded.extend({ permissions: { "doc.read": "org" }, raise: { orgRoles: { boss: { "doc.read": "all" } } } });
any.extend({ orgRoles: { boss: { "doc.read": "all" } } });
definePolicy(JSON.parse("{}")) satisfies Policy;
const stored: PolicySpec = standardPolicy.spec;
definePolicy(stored) satisfies Policy;

// What a table may have or not is given as it is, with `exactOptionalPropertyTypes` too.
const row: { role?: string; projectId?: string } = {};
const found: Principal = {
  userId: "ada",
  orgId: "acme",
  orgRole: row.role,
  projectRoles: {},
  via: undefined,
};
standardPolicy.authorize(found, "billing.view", {
  orgId: "acme",
  projectId: row.projectId,
  userId: undefined,
});
// @ts-expect-error it is about a project, which is not known here
standardPolicy.authorize(found, "project.view", { orgId: "acme", projectId: row.projectId });
