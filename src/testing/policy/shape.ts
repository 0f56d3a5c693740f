import { grantOf } from "../../policy/grant.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import { type NamedCaps, placesOf } from "./places.js";

/** What the cells of a policy depend on: its names, and where its caps are. */
export interface Shape {
  readonly permissions: Readonly<Record<string, Kind>>;
  readonly orgRoles: readonly string[];
  readonly projectRoles: readonly string[];
  readonly conditions: readonly string[];
  readonly caps: NamedCaps;
  /**
   * Permissions about the org in the place of each project that is capped differently, where they have the same answer.
   */
  readonly orgInEveryPlace?: true;
}

/** The shape of a policy; its base org role comes first, so that the simplest cells do. */
export function shapeOf({ spec }: Pick<Policy, "spec">): Shape {
  const { permissions, orgRoles, projectRoles, conditions, caps, baseOrgRole } = spec;
  return {
    permissions,
    orgRoles: [baseOrgRole, ...Object.keys(orgRoles).filter((role) => role !== baseOrgRole)],
    projectRoles: Object.keys(projectRoles),
    conditions: Object.keys(conditions),
    caps: Object.entries(caps),
  };
}

/** Of two policies that give a permission different kinds, the one whose resource suits both. */
const kindsByIds: readonly Kind[] = ["org", "project", "owned"];

/** The shape of two policies together. */
export function union(a: Shape, b: Shape): Shape {
  const names = (x: readonly string[], y: readonly string[]) => [...new Set([...x, ...y])];
  const kinds = Object.entries(b.permissions).map(([permission, kind]) => {
    const other = Object.hasOwn(a.permissions, permission) ? a.permissions[permission] : undefined;
    const wider = other !== undefined && kindsByIds.indexOf(other) > kindsByIds.indexOf(kind) ? other : kind;
    return [permission, wider] as const;
  });
  return {
    permissions: { ...a.permissions, ...Object.fromEntries(kinds) },
    orgRoles: names(a.orgRoles, b.orgRoles),
    projectRoles: names(a.projectRoles, b.projectRoles),
    conditions: names(a.conditions, b.conditions),
    caps: [...a.caps, ...b.caps],
  };
}

/**
 * A shape for claims that ask about other cells: in one about the org they may ask for a permission about a project of
 * it, and must not miss one that is capped.
 */
export function forAsking(shape: Shape): Shape {
  const { places, orgs } = placesOf(shape);
  return places.length === orgs.size ? shape : { ...shape, orgInEveryPlace: true };
}

/**
 * A shape with one permission, and only the conditions that some rule about it names in one of the policies: its
 * verdicts are the same whether or not the others hold.
 *
 * @param policies those whose shape it is
 */
export function shapeAbout(
  permission: string,
  shape: Shape,
  policies: readonly Pick<Policy, "spec">[],
): Shape {
  const caps = shape.caps.filter(([, cap]) => cap.permissions.includes(permission));
  const roles = policies.flatMap(({ spec }) => [spec.orgRoles, spec.projectRoles].flatMap(Object.values));
  const named = new Set([
    ...roles.map((grants) => grantOf(grants, permission).when),
    ...caps.map(([, { unless }]) => unless),
  ]);
  return {
    ...shape,
    permissions: { [permission]: shape.permissions[permission] ?? "org" },
    conditions: shape.conditions.filter((name) => named.has(name)),
  };
}
