import { type Conditions, holds } from "./condition.js";
import type { Permissions, PermissionsOfKind } from "./permission.js";
import type { Resource } from "./principal.js";
import type { Verdict } from "./verdict.js";

/** The project that a cap applies to. */
export interface CappedProject {
  readonly orgId: string;
  readonly projectId: string;
}

/**
 * A cap: permissions that nobody has in a scope, whichever role grants them.
 *
 * A cap belongs to an org or a project and never to a role, so that nobody gains anything by losing a role.
 */
export type Cap<P extends Permissions = Permissions, Condition extends string = string> =
  | {
      readonly at: "org";
      /** The orgs it applies to, with everything in them. Default: every org. */
      readonly orgIds?: readonly string[] | undefined;
      readonly permissions: readonly (keyof P)[];
      /** The condition that lifts the cap while it holds. */
      readonly unless?: Condition | undefined;
    }
  | {
      readonly at: "project";
      readonly projects: readonly CappedProject[];
      /** The permissions denied. Permissions about the org are not allowed here. */
      readonly permissions: readonly (PermissionsOfKind<P, "project"> | PermissionsOfKind<P, "owned">)[];
      /** The condition that lifts the cap while it holds. */
      readonly unless?: Condition | undefined;
    };

/** A cap prepared for look-up. It is the same for every permission that it denies. */
export interface CompiledCap {
  readonly verdict: Verdict;
  readonly unless: string | undefined;
  /** The orgs it applies to. Absent if that is every org, or if it applies to projects. */
  readonly orgIds: ReadonlySet<string> | undefined;
  /** The projects it applies to, by org. Absent if it applies to orgs. */
  readonly projectIds: ReadonlyMap<string, ReadonlySet<string>> | undefined;
}

export function compileCap(id: string, cap: Cap): CompiledCap {
  const { unless } = cap;
  const verdict: Verdict = Object.freeze({
    allowed: false,
    reason: "capped",
    by: `cap:${id}`,
    ...(unless !== undefined && { needs: unless }),
  });
  const ids = cap.at === "org" && cap.orgIds !== undefined ? new Set(cap.orgIds) : undefined;
  return Object.freeze({
    verdict,
    unless,
    orgIds: ids,
    projectIds: cap.at === "project" ? byOrg(cap.projects) : undefined,
  });
}

/** The first cap in force that applies to a resource. */
export function capOn(
  caps: readonly CompiledCap[],
  { orgId, projectId }: Resource,
  conditions: Conditions | undefined,
): CompiledCap | undefined {
  return caps.find(
    (cap) =>
      isInForce(cap, conditions) &&
      (cap.projectIds === undefined
        ? cap.orgIds === undefined || cap.orgIds.has(orgId)
        : projectId !== undefined && cap.projectIds.get(orgId)?.has(projectId) === true),
  );
}

/** The projects of an org to which a cap in force applies. */
export function cappedProjects(
  caps: readonly CompiledCap[],
  orgId: string,
  conditions: Conditions | undefined,
): string[] {
  const inForce = caps.filter((cap) => isInForce(cap, conditions));
  return [...new Set(inForce.flatMap(({ projectIds }) => [...(projectIds?.get(orgId) ?? [])]))];
}

/** Whether a cap is not lifted. */
function isInForce({ unless }: CompiledCap, conditions: Conditions | undefined): boolean {
  return unless === undefined || !holds(conditions, unless);
}

function byOrg(projects: readonly CappedProject[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { orgId, projectId } of projects) {
    const ids = found.get(orgId) ?? new Set();
    found.set(orgId, ids.add(projectId));
  }
  return found;
}
