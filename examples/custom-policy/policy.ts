/** The standard policy with two more roles, a second factor for money, and a frozen project. */
import { standardPolicy } from "tollgate";

/** The policy while nothing is frozen. */
export const everyday = standardPolicy.extend({
  permissions: { "budget.raise": "project" },
  conditions: { mfa: "a second factor in the last hour" },
  orgRoles: {
    auditor: { "audit.view": "all", "project.view": "all", "key.view": "all", "usage.view": "all" },
    billing: { "billing.view": "all", "billing.manage": { reach: "all", when: "mfa" } },
  },
  raise: {
    orgRoles: { owner: { "budget.raise": { reach: "all", when: "mfa" } } },
    projectRoles: { admin: { "budget.raise": { reach: "all", when: "mfa" } } },
  },
});

/** For the time of an incident: no new tokens in the project, whoever asks. */
export const policy = everyday.extend({
  caps: {
    freeze: {
      at: "project",
      projects: [{ orgId: "acme", projectId: "checkout" }],
      permissions: ["key.create", "key.rotate"],
    },
  },
});
