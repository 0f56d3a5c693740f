import type { PolicyData, Principal, Resource, Verdict, VerdictReason } from "../../src/policy/index.js";

/** The rules in plain lines, read off the spec itself. The compiled table is held against them on every cell. */
export function specified(
  spec: PolicyData,
  principal: Principal,
  permission: string,
  resource: Resource,
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

  const reaches = (grants: Readonly<Record<string, string | undefined>>) => {
    const reach = own(grants, permission);
    return reach === "all" || (reach === "own" && userId === principal.userId);
  };
  const orgGrants = own(spec.orgRoles, principal.orgRole);
  if (orgGrants === undefined) return deny("unknown_role");
  if (reaches(orgGrants)) return { allowed: true, by: `org:${principal.orgRole}/${permission}` };

  const projectRole = kind === "org" ? undefined : own(principal.projectRoles, projectId ?? "");
  if (projectRole === undefined) return deny("not_granted");
  const projectGrants = own(spec.projectRoles, projectRole);
  if (projectGrants === undefined) return deny("unknown_role");
  if (reaches(projectGrants)) return { allowed: true, by: `project:${projectRole}/${permission}` };
  return deny("not_granted");
}

function deny(reason: VerdictReason): Verdict {
  return { allowed: false, reason };
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.entries(record).find(([key]) => key === name)?.[1];
}
