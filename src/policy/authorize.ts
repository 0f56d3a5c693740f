import { capOn } from "./cap.js";
import { type Conditions, holds } from "./condition.js";
import type { Kind, Reach } from "./permission.js";
import { isId, isSomebody, type Principal, projectRoleOf, type Resource } from "./principal.js";
import { orgRuleOf, type PermissionRules, projectRuleOf, type Rule, type Table } from "./table.js";
import { denied, type Verdict } from "./verdict.js";

/** Decides one request. The order of the checks is the order of {@link VerdictReason}. */
export function authorize(
  table: Table,
  principal: Principal,
  permission: string,
  resource: Resource,
  conditions?: Conditions,
): Verdict {
  const rules = table.get(permission);
  if (rules === undefined) return denied.unknown_permission;
  if (!isComplete(rules.kind, resource)) return denied.invalid_resource;
  if (!isSomebody(principal)) return denied.not_in_org;
  // INVARIANT: from here on both orgs are the same and a non-empty string, so nothing below can cross an org.
  if (resource.orgId !== principal.orgId) return denied.other_org;
  if (principal.orgRole === undefined) return denied.not_in_org;

  const { projectId } = resource;
  const { via } = principal;
  if (via !== undefined && (rules.kind === "org" || via.projectId !== projectId)) return denied.key_confined;

  // A holder whose org role is unknown is not a known member, so no project role counts with it either.
  const orgRule = orgRuleOf(rules, principal.orgRole);
  if (orgRule === undefined) return denied.unknown_role;
  if (covers(orgRule, principal, resource, conditions)) return uncapped(rules, orgRule, resource, conditions);
  const unmet = unmetOf(orgRule, principal, resource);
  if (rules.kind === "org" || projectId === undefined) return unmet ?? denied.not_granted;

  const projectRole = projectRoleOf(principal, projectId);
  if (projectRole === undefined) return unmet ?? denied.not_granted;
  const projectRule = projectRuleOf(rules, projectRole);
  if (projectRule === undefined) return unmet ?? denied.unknown_role;
  if (covers(projectRule, principal, resource, conditions))
    return uncapped(rules, projectRule, resource, conditions);
  return unmet ?? unmetOf(projectRule, principal, resource) ?? denied.not_granted;
}

/** Whether the resource has every id that the permission needs. Plain JavaScript may even pass no resource. */
function isComplete(kind: Kind, resource: Resource): boolean {
  if (!isId(resource?.orgId)) return false;
  if (kind === "org") return true;
  return isId(resource.projectId) && (kind === "project" || isId(resource.userId));
}

function covers(
  rule: Rule,
  principal: Principal,
  resource: Resource,
  conditions: Conditions | undefined,
): boolean {
  if (reaches(rule.reach, principal, resource)) return true;
  return rule.when !== undefined && reaches(rule.within, principal, resource) && holds(conditions, rule.when);
}

/** Only a permission of kind `owned` can have the reach `own`, and its resource then has a holder. */
function reaches(reach: Reach, principal: Principal, resource: Resource): boolean {
  return reach === "all" || (reach === "own" && resource.userId === principal.userId);
}

/** The verdict of a rule that does not cover the resource but would if its condition held. */
function unmetOf(rule: Rule, principal: Principal, resource: Resource): Verdict | undefined {
  return rule.unmet !== undefined && reaches(rule.within, principal, resource) ? rule.unmet : undefined;
}

/** The verdict of a rule that covers the resource, or that of the cap in its way. */
function uncapped(
  rules: PermissionRules,
  rule: Rule,
  resource: Resource,
  conditions: Conditions | undefined,
): Verdict {
  if (rules.caps === undefined) return rule.verdict;
  return capOn(rules.caps, resource, conditions)?.verdict ?? rule.verdict;
}
