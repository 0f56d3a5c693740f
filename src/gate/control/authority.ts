import { LimitError, ValidationError } from "../../model/errors.js";
import { ID_MAX } from "../../model/text.js";
import type { Principal } from "../../policy/principal.js";
import type { StandardPolicy } from "../../policy/standard.js";
import { type Asking, verdictOf } from "./actor.js";

/**
 * Whether somebody has all that another has in a project, or, without `projectId`, by their org roles.
 *
 * @returns the first permission in which the other goes further; undefined where there is none
 */
export function firstBeyond(
  policy: StandardPolicy,
  acting: Asking,
  other: Principal,
  projectId?: string,
): string | undefined {
  const scope = { orgId: other.orgId, projectId: projectId ?? "any" };
  const [mine, theirs] =
    projectId === undefined
      ? [byOrgRole(acting), byOrgRole({ principal: other })]
      : [acting, { principal: other }];
  const reach = (who: Asking, permission: string) =>
    [who.principal.userId, NOBODY].filter(
      (userId) => verdictOf(policy, who, permission, { ...scope, userId }).allowed,
    ).length;
  return Object.entries(policy.spec.permissions).find(
    ([permission, kind]) =>
      (projectId === undefined || kind !== "org") && reach(theirs, permission) > reach(mine, permission),
  )?.[0];
}

/** The id of no user: longer than one may be. What may be done with things of this one may be done with everybody's. */
const NOBODY = "nobody".padEnd(ID_MAX + 1, "-");

/** The id of somebody who is not known yet, such as whoever will accept an invitation. */
export const SOMEBODY = "somebody".padEnd(ID_MAX + 1, "-");

function byOrgRole({ principal, ...rest }: Asking): Asking {
  return { ...rest, principal: { ...principal, projectRoles: {} } };
}

/**
 * Refuses what gives somebody, or takes from somebody, more than the actor has.
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
