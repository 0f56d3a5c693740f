import { ValidationError } from "../model/errors.js";
import { type Conditions, combinations } from "./condition.js";
import { grantOf, reachUnder } from "./grant.js";
import { isWider, type Reach } from "./permission.js";
import { isId, isSomebody, type Principal, projectRoleOf, projectsOf } from "./principal.js";
import type { PolicyData } from "./spec.js";

/** A role to be given: an org role, or a project role with the project it is for. */
export type RoleGiven<OrgRole extends string = string, ProjectRole extends string = string> =
  | { readonly orgRole: OrgRole; readonly projectId?: undefined; readonly projectRole?: undefined }
  | { readonly projectId: string; readonly projectRole: ProjectRole; readonly orgRole?: undefined };

/** The answer of `canAssign`. */
export type Assignment =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: "unknown_role" | "other_org" | "not_in_org" }
  | {
      readonly allowed: false;
      /** With the role, the target would reach further than the actor does. */
      readonly reason: "beyond_actor";
      /** The first permission for which that is so. */
      readonly permission: string;
      /** The project it is about. Absent if it is about the org, or about any of its projects. */
      readonly projectId?: string;
    };

/**
 * Decides whether giving a role hands out more than the actor holds.
 *
 * @throws ValidationError for a role that is neither an org role nor a project role: compared in no project, or without
 *   one of its parts, it would seem harmless
 */
export function canAssign(
  spec: PolicyData,
  actor: Principal,
  target: Principal,
  role: RoleGiven,
): Assignment {
  if (!isOneRole(role)) {
    throw new ValidationError([
      { field: "role", expected: "orgRole alone, or projectRole and the projectId it is for" },
    ]);
  }
  const [roles, name] =
    role.orgRole === undefined ? [spec.projectRoles, role.projectRole] : [spec.orgRoles, role.orgRole];
  if (!Object.hasOwn(roles, name)) return { allowed: false, reason: "unknown_role" };
  if (!isSomebody(actor) || !isSomebody(target)) return { allowed: false, reason: "not_in_org" };
  if (target.orgId !== actor.orgId) return { allowed: false, reason: "other_org" };
  if (actor.orgRole === undefined) return { allowed: false, reason: "not_in_org" };

  const { via: _, ...person } = target;
  const after: Principal =
    role.orgRole === undefined
      ? {
          ...person,
          orgRole: knownRole(spec, target.orgRole),
          projectRoles: withRole(target.projectRoles, role.projectId, role.projectRole),
        }
      : { ...person, orgRole: role.orgRole };
  for (const projectId of placesOf(spec, target, role)) {
    const permission = firstBeyond(spec, [actor], after, projectId);
    if (permission === undefined) continue;
    const place = projectId === undefined ? {} : { projectId };
    return { allowed: false, reason: "beyond_actor", permission, ...place };
  }
  return { allowed: true };
}

/**
 * The org role with which somebody is compared who is given a role in a project. Without a known org role, that one
 * counts for nothing yet, but it will once they have one. So they are compared as with the least there is.
 */
export function knownRole({ orgRoles, baseOrgRole }: PolicyData, orgRole: string | undefined): string {
  return orgRole !== undefined && Object.hasOwn(orgRoles, orgRole) ? orgRole : baseOrgRole;
}

function isOneRole({ orgRole, projectId, projectRole }: Partial<Record<keyof RoleGiven, unknown>>): boolean {
  return orgRole === undefined
    ? isId(projectId) && projectRole !== undefined
    : projectId === undefined && projectRole === undefined;
}

/**
 * Where a role counts. Project roles count for nothing without a known org role, and start to count once there is one.
 */
function placesOf({ orgRoles }: PolicyData, target: Principal, role: RoleGiven): (string | undefined)[] {
  if (role.orgRole === undefined) return [role.projectId];
  const counted = target.orgRole !== undefined && Object.hasOwn(orgRoles, target.orgRole);
  return counted ? [undefined] : [undefined, ...projectsOf(target)];
}

/** Like a spread, but `__proto__` becomes a project like any other. */
function withRole(roles: Principal["projectRoles"], projectId: string, role: string) {
  return Object.fromEntries([...Object.entries(roles ?? {}), [projectId, role]]);
}

/**
 * Compares what people reach by their roles, under every combination of conditions. Caps are ignored on both sides.
 *
 * @param mine each of these people must reach what the other does
 * @param projectId the project to compare in. Absent: the org and, by org roles alone, any of its projects.
 * @returns the first permission with which `other` goes further, or `undefined` if there is none
 */
export function firstBeyond(
  spec: PolicyData,
  mine: readonly Principal[],
  other: Principal,
  projectId?: string,
): string | undefined {
  const all = combinations(Object.keys(spec.conditions));
  return Object.entries(spec.permissions).find(
    ([permission, kind]) =>
      (projectId === undefined || kind !== "org") &&
      all.some((conditions) => {
        const reach = (who: Principal) =>
          who.orgId === other.orgId ? reachIn(spec, who, permission, projectId, conditions) : "none";
        const theirs = reach(other);
        return mine.some((who) => isWider(theirs, reach(who)));
      }),
  )?.[0];
}

/**
 * Whether each of these people reaches as far as `least` by a permission through their roles, under any conditions.
 * Caps are ignored: what is frozen now may be unfrozen in the next step.
 *
 * @param projectId the project to ask about. Absent: the org and, by org roles alone, any of its projects.
 */
export function mayReach(
  spec: PolicyData,
  people: readonly Principal[],
  permission: string,
  projectId?: string,
  least: Reach = "own",
): boolean {
  return combinations(Object.keys(spec.conditions)).some((conditions) =>
    people.every((who) => !isWider(least, reachIn(spec, who, permission, projectId, conditions))),
  );
}

/** How far somebody's roles reach in a project. Without `projectId`, how far their org role reaches. */
function reachIn(
  { orgRoles, projectRoles }: PolicyData,
  principal: Principal,
  permission: string,
  projectId: string | undefined,
  conditions: Conditions,
): Reach {
  const { orgRole, via } = principal;
  if (orgRole === undefined || !Object.hasOwn(orgRoles, orgRole)) return "none";
  if (via !== undefined && via.projectId !== projectId) return "none";
  const byOrg = reachUnder(grantOf(orgRoles[orgRole] ?? {}, permission), conditions);
  const role = projectId === undefined ? undefined : projectRoleOf(principal, projectId);
  if (role === undefined || !Object.hasOwn(projectRoles, role)) return byOrg;
  const byProject = reachUnder(grantOf(projectRoles[role] ?? {}, permission), conditions);
  return isWider(byProject, byOrg) ? byProject : byOrg;
}
