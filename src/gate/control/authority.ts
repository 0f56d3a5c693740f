import { LimitError, ValidationError } from "../../model/errors.js";
import type { Records } from "../../model/records.js";
import { ID_MAX } from "../../model/text.js";
import { firstBeyond as firstReachBeyond, knownRole } from "../../policy/assignment.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPolicy } from "../../policy/standard.js";
import type { Asking } from "./actor.js";

/**
 * Compares what somebody reaches with what another does: in a project or, without `projectId`, by their org roles.
 *
 * @returns the first permission with which the other reaches further, or `undefined` if there is none
 */
export function firstBeyond(
  policy: StandardPolicy,
  { principal, issuer }: Asking,
  other: Principal,
  projectId?: string,
): string | undefined {
  return firstReachBeyond(policy.spec, issuer ? [principal, issuer] : [principal], other, projectId);
}

/**
 * Stands for the id of somebody who is not known yet, such as whoever will accept an invitation. It is longer than any
 * id.
 */
export const SOMEBODY = "somebody".padEnd(ID_MAX + 1, "-");

/**
 * Refuses to give somebody, or take from them, more than the actor has.
 *
 * @throws LimitError naming `field` and the permission that the actor lacks
 */
export function requireReach(
  policy: StandardPolicy,
  acting: Asking,
  other: Principal,
  field: string,
  projectId?: string,
): void {
  const beyond = firstBeyond(policy, acting, other, projectId);
  if (beyond !== undefined)
    throw new LimitError(field, `it comes with ${beyond}, which goes beyond what you may do yourself`);
}

/** Somebody with their role in the org. */
export type RoleInOrg = Pick<Records["orgMember"], "userId" | "orgId" | "role">;

/** Somebody in the org as they are in none of its projects. */
export function inOrg({ userId, orgId, role }: RoleInOrg): Principal {
  return { userId, orgId, orgRole: role, projectRoles: {} };
}

/**
 * Somebody in the org as they would be with one role in one project. Under an org role that the policy does not know,
 * that one counts for nothing, but it will once they are given another, or the policy knows theirs again.
 */
export function inProject(
  { spec }: StandardPolicy,
  { userId, orgId, role }: RoleInOrg,
  projectId: string,
  projectRole: string,
): Principal {
  return {
    userId,
    orgId,
    orgRole: knownRole(spec, role),
    projectRoles: Object.fromEntries([[projectId, projectRole]]),
  };
}

/** Like {@link requireReach}, for a role in the org. */
export function requireOrgReach(policy: StandardPolicy, acting: Asking, other: RoleInOrg): void {
  requireReach(policy, acting, inOrg(other), "role");
}

/** Like {@link requireReach}, for a role in a project. */
export function requireProjectReach(
  policy: StandardPolicy,
  acting: Asking,
  other: RoleInOrg,
  projectId: string,
  projectRole: string,
  field = "role",
): void {
  requireReach(policy, acting, inProject(policy, other, projectId, projectRole), field, projectId);
}

/** @throws ValidationError if the policy has no such role */
export function requireRole(
  policy: StandardPolicy,
  kind: "orgRoles" | "projectRoles",
  role: string,
  field: string,
): void {
  const roles: object = policy.spec[kind];
  if (!Object.hasOwn(roles, role)) {
    throw new ValidationError([{ field, expected: `one of ${Object.keys(roles).join(", ")}` }]);
  }
}
