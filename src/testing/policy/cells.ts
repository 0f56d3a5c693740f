import { ValidationError } from "../../model/errors.js";
import type { Cap } from "../../policy/cap.js";
import { combinations } from "../../policy/condition.js";
import { grantOf } from "../../policy/grant.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import { type Cell, type Facts, type NamesOf, type Place, questionOf } from "./cell.js";
import { onOneLine } from "./words.js";

/** What the cells of a policy depend on: its names, and where its caps are. */
export interface Shape {
  readonly permissions: Readonly<Record<string, Kind>>;
  readonly orgRoles: readonly string[];
  readonly projectRoles: readonly string[];
  readonly conditions: readonly string[];
  /** A cap without an id holds where it does, and no cell names it. */
  readonly caps: readonly (readonly [id: string | undefined, cap: Cap])[];
  /** Permissions about the org in the place of each project that is capped differently, where they have the same answer. */
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
 * A shape for claims that ask about other cells: in one about the org they may ask for a permission about a project of it,
 * and must not miss one that is capped.
 */
export function forAsking(shape: Shape): Shape {
  const { places, orgs } = placesOf(shape);
  return places.length === orgs.size ? shape : { ...shape, orgInEveryPlace: true };
}

/**
 * A shape with one permission, and only the conditions that some rule about it names in one of the policies: its verdicts are
 * the same whether or not the others hold.
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

/**
 * Every cell of a policy: each org role or none, each role or none in the project asked about and in another, as a person
 * or through a key; each permission, in the own org or another's, in every place that is capped differently, for one's
 * own and for somebody else's; under each combination of conditions.
 *
 * Whatever `authorize` may be asked of roles and names that the policy has, one of these cells has the answer. They come
 * in an order from simple to odd, so that the first counterexample is one that a person understands.
 *
 * @throws ValidationError for a policy of more than 10,000,000 cells
 */
export function cells<T extends Policy>(policy: T): Cell<NamesOf<T>>[] {
  const shape = shapeOf(policy);
  checkSize(shape);
  return [...cellsOf(shape)] as Cell<NamesOf<T>>[]; // Sound: the names are those of the policy.
}

/** Most cells of a policy: `cells` of so many take one and a half gigabytes, and a proof of the laws half a minute. */
const CELLS_MAX = 10_000_000;

/**
 * Refuses a policy whose cells nobody would wait for, before there is any.
 *
 * @throws ValidationError saying how many there are, and what they are the product of
 */
export function checkSize(shape: Shape): void {
  const count = countOf(shape);
  if (count <= CELLS_MAX) return;
  const { permissions, orgRoles, projectRoles, conditions } = shape;
  const { places } = placesOf(shape);
  const product =
    `permissions (${Object.keys(permissions).length}), org roles (${orgRoles.length}), project roles (${projectRoles.length}, ` +
    `squared), places that are capped differently (${places.length}) and combinations of conditions (${2 ** conditions.length})`;
  throw new ValidationError([
    {
      field: "policy",
      expected:
        `at most ${CELLS_MAX} cells, and there are ${count}, from ${product}; make claims about it without some of its caps, ` +
        "conditions or roles, such as before extend adds them",
    },
  ]);
}

/** How many cells {@link cellsOf} a shape has. */
export function countOf(shape: Shape): number {
  const { places, orgs } = placesOf(shape);
  const inProject = shape.projectRoles.length + 1;
  // Whether it is their own org, the role in the org, and in the project.
  const perPlace = 2 * (shape.orgRoles.length + 1) * inProject;
  // Through no key, a key here or elsewhere, and the role in the other project.
  const asked = 3 * inProject;
  const ofKind = {
    org: asked * (shape.orgInEveryPlace ? places.length : orgs.size),
    project: asked * places.length,
    owned: 2 * asked * places.length,
  };
  const perCombination = Object.values(shape.permissions).reduce(
    (sum, kind) => sum + perPlace * ofKind[kind],
    0,
  );
  return perCombination * 2 ** shape.conditions.length;
}

/** Facts of some cells only. Nobody may do anything in another org, and nothing by a role in another project: both are laws. */
export interface Only {
  readonly key?: null;
  readonly sameOrg?: true;
  readonly otherProjectRole?: null;
}

/**
 * {@link cells} of a shape, one after the other: all of them at once may be more than fit into memory.
 *
 * @param only left out, all of them
 */
export function* cellsOf(shape: Shape, only: Only = {}): Generator<Cell> {
  const asked = Object.entries(shape.permissions);
  const kinds = [...new Set(asked.map(([, kind]) => kind))].map((kind) => ({
    kind,
    permissions: asked.filter((entry) => entry[1] === kind).map(([id]) => id),
  }));
  const projectRoles = [null, ...shape.projectRoles];
  const { places, orgs } = placesOf(shape);
  for (const conditions of combinations(shape.conditions)) {
    for (const key of only.key === null ? [null] : ([null, "here", "elsewhere"] as const)) {
      for (const otherProjectRole of only.otherProjectRole === null ? [null] : projectRoles) {
        for (const sameOrg of only.sameOrg ? [true] : [true, false]) {
          for (const place of places) {
            for (const projectRole of projectRoles) {
              for (const orgRole of [...shape.orgRoles, null]) {
                for (const { kind, permissions } of kinds) {
                  // Not fewer of a permission about the org, though its projects are alike: a claim may name either.
                  if (kind === "org" && !shape.orgInEveryPlace && !orgs.has(place)) continue;
                  for (const own of kind === "owned" ? [true, false] : [false]) {
                    const who = { orgRole, projectRole, otherProjectRole, key, sameOrg, own, conditions };
                    const question = questionOf(who, kind, place);
                    for (const permission of permissions) {
                      yield cellOf(who, kind, permission, place, question);
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

/** Millions of them are made: to spread the facts would take several times as long. */
function cellOf(
  { orgRole, projectRole, otherProjectRole, key, sameOrg, own, conditions }: Omit<Facts, "permission">,
  kind: Kind,
  permission: string,
  place: Place,
  { principal, resource }: Pick<Cell, "principal" | "resource">,
): Cell {
  return {
    permission,
    orgRole,
    projectRole,
    otherProjectRole,
    key,
    sameOrg,
    own,
    conditions,
    kind,
    caps: kind === "org" ? place.orgCaps : place.caps,
    place,
    principal,
    resource,
  };
}

/**
 * One place for each set of caps that hold somewhere together; the first is where none does that names a scope. `orgs` are
 * those of them whose orgs are capped differently.
 */
function placesOf({ caps }: Shape): Places {
  const places = placesOfCaps.get(caps) ?? placesUnder(caps);
  placesOfCaps.set(caps, places);
  return places;
}

interface Places {
  readonly places: readonly Place[];
  readonly orgs: ReadonlySet<Place>;
}

/** Found once for all permissions: caps may name thousands of scopes. */
const placesOfCaps = new WeakMap<Shape["caps"], Places>();

function placesUnder(caps: Shape["caps"]): Places {
  const named = caps.flatMap(([, cap]): readonly { readonly orgId: string; readonly projectId?: string }[] =>
    cap.at === "project" ? cap.projects : (cap.orgIds ?? []).map((orgId) => ({ orgId })),
  );
  const taken = new Set(named.flatMap(({ orgId, projectId }) => [orgId, projectId ?? orgId]));
  const fresh = (name: string): string => (taken.has(name) ? fresh(`${name}'`) : name);
  const [anyOrg, anyProject] = [fresh("org"), fresh("project")];
  const holding = whereTheyHold(caps);
  const idsOf = (some: readonly number[]) => [...new Set(some.flatMap((at) => caps[at]?.[0] ?? []))];
  const places = new Map<string, Place>();
  const orgs = new Map<string, Place>();
  for (const one of [{ orgId: anyOrg }, ...named]) {
    const { orgId, projectId = anyProject } = one;
    const onOrg = holding.onOrg(orgId);
    const here = [...onOrg, ...holding.onProject(orgId, projectId)].sort((a, b) => a - b);
    const signature = here.join();
    if (places.has(signature)) continue;
    const place: Place = {
      orgId,
      projectId,
      otherOrgId: `not-${orgId}`,
      otherProjectId: `not-${projectId}`,
      caps: idsOf(here),
      orgCaps: idsOf(onOrg),
      ...wordsOf(one, orgId === anyOrg),
    };
    places.set(signature, place);
    if (!orgs.has(onOrg.join())) orgs.set(onOrg.join(), place);
  }
  return { places: [...places.values()], orgs: new Set(orgs.values()) };
}

/** How people call a place; what is capped as an org names its org with the project, too. */
function wordsOf(
  { orgId, projectId }: { readonly orgId: string; readonly projectId?: string },
  isAnyOrg: boolean,
): Pick<Place, "orgWords" | "projectWords"> {
  const orgWords = isAnyOrg ? "their org" : `the org ${onOneLine(orgId)}`;
  if (projectId !== undefined) return { orgWords, projectWords: `the project ${onOneLine(projectId)}` };
  return { orgWords, projectWords: isAnyOrg ? "the project" : `a project of ${orgWords}` };
}

/**
 * Where caps hold, looked up by scope: each may name thousands. A cap is told by its position, not by its id: of two policies
 * that are compared, each may have one of the same id in another scope.
 */
function whereTheyHold(caps: Shape["caps"]) {
  const everywhere: number[] = [];
  const byOrg = new Map<string, Set<number>>();
  const byProject = new Map<string, Map<string, Set<number>>>();
  for (const [position, [, cap]] of caps.entries()) {
    if (cap.at === "project") {
      for (const { orgId, projectId } of cap.projects) {
        const projects = byProject.get(orgId) ?? new Map<string, Set<number>>();
        byProject.set(orgId, add(projects, projectId, position));
      }
    } else if (cap.orgIds === undefined) everywhere.push(position);
    else for (const orgId of cap.orgIds) add(byOrg, orgId, position);
  }
  return {
    onOrg: (orgId: string) => [...everywhere, ...(byOrg.get(orgId) ?? [])].sort((a, b) => a - b),
    onProject: (orgId: string, projectId: string) => [...(byProject.get(orgId)?.get(projectId) ?? [])],
  };
}

function add(positions: Map<string, Set<number>>, scopeId: string, position: number) {
  return positions.set(scopeId, (positions.get(scopeId) ?? new Set<number>()).add(position));
}
