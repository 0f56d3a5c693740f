import { isWider, type Reach } from "./permission.js";
import { isId, type Principal, projectRoleOf } from "./principal.js";
import type { Table } from "./table.js";

/** Where a principal has a permission, as a filter for a list. Equal to asking `authorize` for each item. */
export type Visible =
  /** Everything in the principal's own org, and nothing of any other. */
  | { readonly all: true }
  | {
      readonly all?: never;
      /** Projects in which it reaches everything. */
      readonly projectIds: readonly string[];
      /** Whether it also reaches what is the principal's own somewhere else than in `projectIds`. */
      readonly own: boolean;
      /** Projects in which only the principal's own is reached; absent with `own: true`, it is own in the whole org. */
      readonly ownProjectIds?: readonly string[];
    };

/** Finds where `authorize` would allow a permission. */
export function visible(table: Table, principal: Principal, permission: string): Visible {
  const rules = table.get(permission);
  const { orgRole, via } = principal;
  if (rules === undefined || orgRole === undefined || !isId(principal.orgId)) return nothing();
  if (via !== undefined && rules.kind === "org") return nothing();
  const orgReach = rules.orgRoles.get(orgRole)?.reach;
  if (orgReach === undefined) return nothing();
  if (via === undefined && orgReach === "all") return { all: true };

  const reachIn = (projectId: string): Reach => {
    const role = projectRoleOf(principal, projectId);
    const reach = (role === undefined ? undefined : rules.projectRoles.get(role)?.reach) ?? "none";
    return isWider(reach, orgReach) ? reach : orgReach;
  };
  const candidates = via === undefined ? Object.keys(principal.projectRoles) : [via.projectId];
  const projects = candidates.filter(isId).map((projectId) => ({ projectId, reach: reachIn(projectId) }));
  const idsWith = (wanted: Reach) =>
    projects.filter(({ reach }) => reach === wanted).map(({ projectId }) => projectId);

  const projectIds = idsWith("all");
  if (!isId(principal.userId)) return { projectIds, own: false };
  if (via === undefined && orgReach === "own") return { projectIds, own: true };
  const ownProjectIds = idsWith("own");
  return ownProjectIds.length > 0 ? { projectIds, own: true, ownProjectIds } : { projectIds, own: false };
}

function nothing(): Visible {
  return { projectIds: [], own: false };
}
