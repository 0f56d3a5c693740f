import { capOn, cappedProjects } from "./cap.js";
import type { Conditions } from "./condition.js";
import { reachUnder } from "./grant.js";
import { isWider, type Reach } from "./permission.js";
import { isId, isSomebody, type Principal, projectRoleOf, projectsOf } from "./principal.js";
import type { Table } from "./table.js";

/** Where a principal has a permission, as a filter for a list. It equals asking `authorize` for each item. */
export type Visible =
  /** Everything in the principal's own org, and nothing of any other. */
  | { readonly all: true }
  | {
      readonly all?: never;
      /** Projects in which everything is reached. */
      readonly projectIds: readonly string[];
      /** Whether the principal's own things are also reached outside `projectIds`. */
      readonly own: boolean;
      /**
       * The projects in which only the principal's own things are reached. If `own` is true and this is absent, that is
       * the whole org.
       */
      readonly ownProjectIds?: readonly string[];
      /**
       * Set if everything in the org is reached except in these projects, which are capped. `projectIds` is then empty,
       * so code that ignores this field shows too little rather than too much.
       */
      readonly allBut?: readonly string[];
      /**
       * Set if the principal's own things are reached in the whole org except in these projects. `own` is then false,
       * for the same reason.
       */
      readonly ownBut?: readonly string[];
    };

/** Finds where `authorize` would allow a permission. */
export function visible(
  table: Table,
  principal: Principal,
  permission: string,
  conditions?: Conditions,
): Visible {
  const rules = table.get(permission);
  if (!isSomebody(principal)) return nothing();
  const { orgId, orgRole, via } = principal;
  if (rules === undefined || orgRole === undefined || !isId(orgId)) return nothing();
  if (via !== undefined && rules.kind === "org") return nothing();
  const orgRule = rules.orgRoles.get(orgRole);
  if (orgRule === undefined) return nothing();
  const { caps } = rules;
  if (caps !== undefined && capOn(caps, { orgId }, conditions) !== undefined) return nothing();
  const capped = caps === undefined ? [] : cappedProjects(caps, orgId, conditions);

  const orgReach = reachUnder(orgRule, conditions);
  if (via === undefined && orgReach === "all") {
    return capped.length === 0 ? { all: true } : { ...nothing(), allBut: capped };
  }
  const reachIn = (projectId: string): Reach => {
    if (capped.includes(projectId)) return "none";
    const role = projectRoleOf(principal, projectId);
    const rule = role === undefined ? undefined : rules.projectRoles.get(role);
    const reach = rule === undefined ? "none" : reachUnder(rule, conditions);
    return isWider(reach, orgReach) ? reach : orgReach;
  };
  const candidates = via === undefined ? projectsOf(principal) : [via.projectId];
  const projects = candidates.filter(isId).map((projectId) => ({ projectId, reach: reachIn(projectId) }));
  const idsWith = (wanted: Reach) =>
    projects.filter(({ reach }) => reach === wanted).map(({ projectId }) => projectId);

  const projectIds = idsWith("all");
  if (!isId(principal.userId)) return { projectIds, own: false };
  if (via === undefined && orgReach === "own") {
    return capped.length === 0 ? { projectIds, own: true } : { projectIds, own: false, ownBut: capped };
  }
  const ownProjectIds = idsWith("own");
  return ownProjectIds.length > 0 ? { projectIds, own: true, ownProjectIds } : { projectIds, own: false };
}

function nothing() {
  return { projectIds: [], own: false };
}
