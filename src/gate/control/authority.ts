import { LimitError, ValidationError } from "../../model/errors.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPolicy } from "../../policy/standard.js";
import { type Acting, verdictOf } from "./actor.js";

/**
 * Whether somebody has all that another has in a project, or, without `projectId`, by their org roles.
 *
 * @returns the first permission in which the other goes further; undefined where there is none
 */
export function firstBeyond(
  policy: StandardPolicy,
  acting: Acting,
  other: Principal,
  projectId?: string,
): string | undefined {
  const scope = { orgId: other.orgId, projectId: projectId ?? "any" };
  const [mine, theirs] =
    projectId === undefined
      ? [byOrgRole(acting), byOrgRole({ principal: other })]
      : [acting, { principal: other }];
  const reach = (who: Acting, permission: string) =>
    [who.principal.userId, NOBODY].filter(
      (userId) => verdictOf(policy, who, permission, { ...scope, userId }).allowed,
    ).length;
  return Object.entries(policy.spec.permissions).find(
    ([permission, kind]) =>
      (projectId === undefined || kind !== "org") && reach(theirs, permission) > reach(mine, permission),
  )?.[0];
}

/** The id of no user: what is allowed to do with things of this one is allowed with everybody's. */
const NOBODY = "\u0000nobody";

function byOrgRole({ principal, ...rest }: Acting): Acting {
  return { ...rest, principal: { ...principal, projectRoles: {} } };
}

/**
 * Refuses what gives somebody, or takes from somebody, more than the actor has.
 *
 * @throws LimitError naming `field` and the permission that the actor lacks
 */
export function requireReach(
  policy: StandardPolicy,
  acting: Acting,
  other: Principal,
  field: string,
  projectId?: string,
): void {
  const beyond = firstBeyond(policy, acting, other, projectId);
  if (beyond !== undefined)
    throw new LimitError(field, `it comes with ${beyond}, which goes beyond what you may do yourself`);
}

/** @throws ValidationError where the policy has no such role */
export function requireRole(
  policy: StandardPolicy,
  kind: "orgRoles" | "projectRoles",
  role: string,
  field = "role",
): void {
  const roles: object = policy.spec[kind];
  if (!Object.hasOwn(roles, role)) {
    throw new ValidationError([{ field, expected: `one of ${Object.keys(roles).join(", ")}` }]);
  }
}
