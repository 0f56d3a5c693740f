import { type Conditions, holds } from "./condition.js";
import type { Permissions, PermissionsOfKind } from "./permission.js";
import type { Resource } from "./principal.js";
import type { Verdict } from "./verdict.js";

/** A project, as a cap names it. */
export interface CappedProject {
  readonly orgId: string;
  readonly projectId: string;
}

/**
 * What may not be done in a scope, by anybody, whichever role grants it.
 *
 * A cap belongs to the org or the project and never to a role, so that nobody gains anything by losing a role.
 */
export type Cap<P extends Permissions = Permissions, Condition extends string = string> =
  | {
      readonly at: "org";
      /** The orgs in which it holds, with all that is in them; left out, it holds in every org. */
      readonly orgIds?: readonly string[];
      readonly permissions: readonly (keyof P)[];
      /** The condition that lifts it. */
      readonly unless?: Condition;
    }
  | {
      readonly at: "project";
      readonly projects: readonly CappedProject[];
      /** None of them about the org. */
      readonly permissions: readonly (PermissionsOfKind<P, "project"> | PermissionsOfKind<P, "owned">)[];
      /** The condition that lifts it. */
      readonly unless?: Condition;
    };

/** A cap as it is looked up: the same for every permission that it denies. */
export interface CompiledCap {
  readonly verdict: Verdict;
  readonly unless: string | undefined;
  /** The orgs it holds in; absent for every org, or where it holds in projects. */
  readonly orgIds: ReadonlySet<string> | undefined;
  /** The projects it holds in, by org; absent where it holds in orgs. */
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

/** The first cap that holds where a resource is, and that nothing lifts. */
export function capOn(
  caps: readonly CompiledCap[],
  { orgId, projectId }: Resource,
  conditions: Conditions | undefined,
): CompiledCap | undefined {
  return caps.find(
    (cap) =>
      (cap.unless === undefined || !holds(conditions, cap.unless)) &&
      (cap.projectIds === undefined
        ? cap.orgIds === undefined || cap.orgIds.has(orgId)
        : projectId !== undefined && cap.projectIds.get(orgId)?.has(projectId) === true),
  );
}

/** The projects of an org in which a cap holds that nothing lifts. */
export function cappedProjects(
  caps: readonly CompiledCap[],
  orgId: string,
  conditions: Conditions | undefined,
): string[] {
  const inForce = caps.filter(({ unless }) => unless === undefined || !holds(conditions, unless));
  return [...new Set(inForce.flatMap(({ projectIds }) => [...(projectIds?.get(orgId) ?? [])]))];
}

function byOrg(projects: readonly CappedProject[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { orgId, projectId } of projects) {
    const ids = found.get(orgId) ?? new Set();
    found.set(orgId, ids.add(projectId));
  }
  return found;
}
