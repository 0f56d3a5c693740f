import { type Policy, standardPolicy } from "tollgate";
import type { Contender } from "../contender.js";
import { authorizing } from "./tollgate.js";

/** With two roles, a permission, two conditions and two caps more; none of them has a say in what is asked. */
const extended: Policy = standardPolicy.extend({
  permissions: { "budget.raise": "project" },
  conditions: { mfa: "a second factor", officeHours: "office hours" },
  orgRoles: {
    auditor: { "audit.view": "all", "project.view": "all", "key.view": "all", "usage.view": "all" },
    billing: { "billing.view": "all", "billing.manage": { reach: "all", when: "mfa" } },
  },
  raise: { projectRoles: { admin: { "budget.raise": { reach: "all", when: "mfa" } } } },
  caps: {
    freeze: {
      at: "project",
      projects: [{ orgId: "acme", projectId: "checkout" }],
      permissions: ["projectMember.setLimits", "key.disable"],
    },
    curfew: { at: "org", permissions: ["budget.raise"], unless: "officeHours" },
  },
});

export function contender(parameter: string): Contender {
  return authorizing(extended, parameter);
}
