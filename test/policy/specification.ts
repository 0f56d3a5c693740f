import type {
  Conditions,
  Grant,
  PolicyData,
  Principal,
  Reach,
  Resource,
  Verdict,
  VerdictReason,
} from "../../src/policy/index.js";

/** The rules in plain lines, read off the spec itself. The compiled table is held against them on every cell. */
export function specified(
  spec: PolicyData,
  principal: Principal,
  permission: string,
  resource: Resource,
  conditions: Conditions = {},
): Verdict {
  const kind = own(spec.permissions, permission);
  if (kind === undefined) return deny("unknown_permission");

  const { orgId, projectId, userId } = resource;
  const ids = { org: [orgId], project: [orgId, projectId], owned: [orgId, projectId, userId] }[kind];
  if (!ids.every((id) => typeof id === "string" && id.length > 0)) return deny("invalid_resource");

  if (orgId !== principal.orgId) return deny("other_org");
  if (principal.orgRole === undefined) return deny("not_in_org");
  if (principal.via && kind === "org") return deny("key_confined");
  if (principal.via && principal.via.projectId !== projectId) return deny("key_confined");

  const holding = (name: string) => own(conditions, name) === true;
  const covers = (reach: Reach | undefined) =>
    reach === "all" || (reach === "own" && userId === principal.userId);
  const verdictOf = (
    grants: Readonly<Record<string, Grant | undefined>>,
    by: string,
  ): Verdict | undefined => {
    const grant = own(grants, permission);
    if (typeof grant !== "object") return covers(grant) ? allow(by) : undefined;
    if (covers(grant.otherwise)) return allow(by);
    if (!covers(grant.reach)) return undefined;
    return holding(grant.when)
      ? allow(by)
      : { allowed: false, reason: "condition_unmet", by, needs: grant.when };
  };
  const allow = (by: string): Verdict => {
    for (const [id, cap] of Object.entries(spec.caps)) {
      if (!cap.permissions.includes(permission)) continue;
      if (cap.unless !== undefined && holding(cap.unless)) continue;
      const inForce =
        cap.at === "org"
          ? cap.orgIds === undefined || cap.orgIds.includes(orgId)
          : cap.projects.some((one) => one.orgId === orgId && one.projectId === projectId);
      if (!inForce) continue;
      const needs = cap.unless === undefined ? {} : { needs: cap.unless };
      return { allowed: false, reason: "capped", by: `cap:${id}`, ...needs };
    }
    return { allowed: true, by };
  };
  const granted = (verdict: Verdict | undefined) =>
    verdict !== undefined && (verdict.allowed || verdict.reason === "capped");

  const orgGrants = own(spec.orgRoles, principal.orgRole);
  if (orgGrants === undefined) return deny("unknown_role");
  const byOrg = verdictOf(orgGrants, `org:${principal.orgRole}/${permission}`);
  if (byOrg && granted(byOrg)) return byOrg;

  const projectRole = kind === "org" ? undefined : own(principal.projectRoles, projectId ?? "");
  if (projectRole === undefined) return byOrg ?? deny("not_granted");
  const projectGrants = own(spec.projectRoles, projectRole);
  if (projectGrants === undefined) return byOrg ?? deny("unknown_role");
  const byProject = verdictOf(projectGrants, `project:${projectRole}/${permission}`);
  if (byProject && granted(byProject)) return byProject;
  return byOrg ?? byProject ?? deny("not_granted");
}

function deny(reason: VerdictReason): Verdict {
  return { allowed: false, reason };
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.entries(record).find(([key]) => key === name)?.[1];
}
