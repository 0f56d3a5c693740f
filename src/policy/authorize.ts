import type { Kind } from "./permission.js";
import { isId, type Principal, projectRoleOf, type Resource } from "./principal.js";
import { orgRuleOf, type Rule, type Table } from "./table.js";
import { denied, type Verdict } from "./verdict.js";

/** Decides one request. The order of the checks is the order of {@link VerdictReason}. */
export function authorize(
  table: Table,
  principal: Principal,
  permission: string,
  resource: Resource,
): Verdict {
  const rules = table.get(permission);
  if (rules === undefined) return denied.unknown_permission;
  if (!isComplete(rules.kind, resource)) return denied.invalid_resource;
  // INVARIANT: from here on both orgs are the same and a non-empty string, so nothing below can cross an org.
  if (resource.orgId !== principal.orgId) return denied.other_org;
  if (principal.orgRole === undefined) return denied.not_in_org;

  const { projectId } = resource;
  const { via } = principal;
  if (via !== undefined && (rules.kind === "org" || via.projectId !== projectId)) return denied.key_confined;

  // A holder whose org role is unknown is not a known member, so no project role counts with it either.
  const orgRule = orgRuleOf(rules, principal.orgRole);
  if (orgRule === undefined) return denied.unknown_role;
  if (covers(orgRule, principal, resource)) return orgRule.verdict;
  if (rules.kind === "org" || projectId === undefined) return denied.not_granted;

  const projectRole = projectRoleOf(principal, projectId);
  if (projectRole === undefined) return denied.not_granted;
  const projectRule = rules.projectRoles.get(projectRole);
  if (projectRule === undefined) return denied.unknown_role;
  return covers(projectRule, principal, resource) ? projectRule.verdict : denied.not_granted;
}

/** Whether the resource has every id that the permission takes; plain JavaScript may even pass no resource. */
function isComplete(kind: Kind, resource: Resource): boolean {
  if (!isId(resource?.orgId)) return false;
  if (kind === "org") return true;
  return isId(resource.projectId) && (kind === "project" || isId(resource.userId));
}

/** Only a permission of kind `owned` can have the reach `own`, and its resource then has a holder. */
function covers(rule: Rule, principal: Principal, resource: Resource): boolean {
  return rule.reach === "all" || (rule.reach === "own" && resource.userId === principal.userId);
}
