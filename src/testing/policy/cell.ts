import { ValidationError } from "../../model/errors.js";
import type { Conditions } from "../../policy/condition.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import type { Principal, Resource } from "../../policy/principal.js";
import type { Verdict } from "../../policy/verdict.js";

/** The names in a policy, by what they name. */
export interface Names {
  readonly permission: string;
  readonly orgRole: string;
  readonly projectRole: string;
  readonly condition: string;
  readonly cap: string;
}

/** The names of one policy, so that a claim about it cannot misspell them. */
export interface NamesOf<T extends Policy> extends Names {
  readonly permission: keyof T["spec"]["permissions"] & string;
  readonly orgRole: keyof T["spec"]["orgRoles"] & string;
  readonly projectRole: keyof T["spec"]["projectRoles"] & string;
  readonly condition: keyof T["spec"]["conditions"] & string;
  readonly cap: keyof T["spec"]["caps"] & string;
}

/** Everything a verdict can depend on: who asks, for what, where, whose it is, and which conditions hold. */
export interface Facts<N extends Names = Names> {
  readonly permission: N["permission"];
  /** Role in the org. `null` for somebody who is not in it. */
  readonly orgRole: N["orgRole"] | null;
  /** Role in the project that is asked about. For a permission about the org, the role in some project of it. */
  readonly projectRole: N["projectRole"] | null;
  /** Role in another project of the org. */
  readonly otherProjectRole: N["projectRole"] | null;
  /**
   * Whether the principal acts through a key of the project that is asked about, or of another one. `null` for a
   * person.
   */
  readonly key: "here" | "elsewhere" | null;
  /** Whether the org that is asked about is the principal's. */
  readonly sameOrg: boolean;
  /** Whether it belongs to the principal. Always false for what belongs to nobody, such as a project. */
  readonly own: boolean;
  /** The conditions that hold. No others do. */
  readonly conditions: Conditions<N["condition"]>;
}

/** One cell of a policy: one of the finitely many questions that can have different answers. */
export interface Cell<N extends Names = Names> extends Facts<N> {
  readonly kind: Kind;
  /** The caps on the org or the project that is asked about, whatever they deny and whether or not they are lifted. */
  readonly caps: readonly N["cap"][];
  readonly place: Place;
  readonly principal: Principal;
  readonly resource: Resource;
}

/** An org and a project of it. There is one for each set of caps. */
export interface Place {
  readonly orgId: string;
  readonly projectId: string;
  /** The org and the project that stand for all others. */
  readonly otherOrgId: string;
  readonly otherProjectId: string;
  readonly caps: readonly string[];
  /** Those of the caps that are on the org. */
  readonly orgCaps: readonly string[];
  /** What people call the project and the org. Generic if no cap names them. */
  readonly projectWords: string;
  readonly orgWords: string;
}

/** The facts in which another cell differs. `without` is a condition that does not hold there; the others stay. */
export type Change<N extends Names = Names> = Partial<Facts<N>> & { readonly without?: N["condition"] };

/** Asks the policy about a cell, or about one that differs from it in some facts. */
export type Ask<N extends Names = Names> = (change?: Change<N>) => Verdict;

/** Anything that can answer: a policy, or a mutant of one. */
export type Authorizer = Pick<Policy, "authorize">;

/** Who asks in a cell, and who owns what is asked about if they do not. */
const ASKER = "asker";
const SOMEBODY_ELSE = "somebody-else";

/** The question that facts pose at a place. Millions of them are made, so no object is built just to be taken apart. */
export function questionOf(facts: Omit<Facts, "permission">, kind: Kind, place: Place) {
  return { principal: principalOf(facts, place), resource: resourceOf(facts, kind, place) };
}

type Asker = Pick<Facts, "orgRole" | "projectRole" | "otherProjectRole" | "key">;

/** Each shape is written out, since spreading one object into another takes several times as long. */
function principalOf({ orgRole, projectRole, otherProjectRole, key }: Asker, place: Place): Principal {
  const { orgId } = place;
  const projectRoles = projectRolesAt(place, projectRole, otherProjectRole);
  if (key === null) {
    return orgRole === null
      ? { userId: ASKER, orgId, projectRoles }
      : { userId: ASKER, orgId, orgRole, projectRoles };
  }
  const via = { keyId: "key", projectId: key === "here" ? place.projectId : place.otherProjectId };
  return orgRole === null
    ? { userId: ASKER, orgId, projectRoles, via }
    : { userId: ASKER, orgId, orgRole, projectRoles, via };
}

type ProjectRoles = Principal["projectRoles"];

/** Made once for all questions at a place: making an object with names of its own takes longer than the answer. */
const madeAt = new WeakMap<Place, Map<string | null, Map<string | null, ProjectRoles>>>();

function projectRolesAt(place: Place, here: string | null, elsewhere: string | null): ProjectRoles {
  return madeAt.get(place)?.get(here)?.get(elsewhere) ?? makeProjectRoles(place, here, elsewhere);
}

function makeProjectRoles(place: Place, here: string | null, elsewhere: string | null): ProjectRoles {
  const roles = Object.freeze({
    ...(here !== null && { [place.projectId]: here }),
    ...(elsewhere !== null && { [place.otherProjectId]: elsewhere }),
  });
  const made = madeAt.get(place) ?? new Map<string | null, Map<string | null, ProjectRoles>>();
  const row = made.get(here) ?? new Map<string | null, ProjectRoles>();
  madeAt.set(place, made.set(here, row.set(elsewhere, roles)));
  return roles;
}

function resourceOf({ sameOrg, own }: Pick<Facts, "sameOrg" | "own">, kind: Kind, place: Place): Resource {
  const orgId = sameOrg ? place.orgId : place.otherOrgId;
  if (kind === "org") return { orgId };
  const { projectId } = place;
  return kind === "project"
    ? { orgId, projectId }
    : { orgId, projectId, userId: own ? ASKER : SOMEBODY_ELSE };
}

/** The names that a {@link Change} may have. */
const CHANGES: ReadonlySet<string> = new Set<keyof Change>([
  "permission",
  "orgRole",
  "projectRole",
  "otherProjectRole",
  "key",
  "sameOrg",
  "own",
  "conditions",
  "without",
]);

/**
 * Makes the function that asks a policy about a cell and its neighbours.
 *
 * It throws a ValidationError for a change that names no fact, which the compiler would refuse. Otherwise it would ask
 * about the unchanged cell, and a claim that nothing changes would pass.
 */
export function askAbout(policy: Authorizer, kinds: Readonly<Record<string, Kind>>, cell: Cell): Ask {
  let verdict: Verdict | undefined;
  return (change) => {
    for (const name in change) {
      if (CHANGES.has(name)) continue;
      throw new ValidationError([{ field: `ask.${name}`, expected: `one of ${[...CHANGES].join(", ")}` }]);
    }
    if (change === undefined || changesNothing(cell, change)) {
      verdict ??= policy.authorize(cell.principal, cell.permission, cell.resource, cell.conditions);
      return verdict;
    }
    const permission = change.permission ?? cell.permission;
    const facts: Facts = {
      permission,
      orgRole: change.orgRole === undefined ? cell.orgRole : change.orgRole,
      projectRole: change.projectRole === undefined ? cell.projectRole : change.projectRole,
      otherProjectRole:
        change.otherProjectRole === undefined ? cell.otherProjectRole : change.otherProjectRole,
      key: change.key === undefined ? cell.key : change.key,
      sameOrg: change.sameOrg ?? cell.sameOrg,
      own: change.own ?? cell.own,
      conditions: conditionsOf(cell, change),
    };
    const kind = permission === cell.permission ? cell.kind : (kinds[permission] ?? cell.kind);
    const { principal, resource } = questionOf(facts, kind, cell.place);
    return policy.authorize(principal, permission, resource, facts.conditions);
  };
}

/** Whether a change leaves a cell as it is. Half of the questions that laws ask are about a role that nobody has. */
function changesNothing(cell: Cell, change: Change): boolean {
  for (const name in change) {
    const fact = name as keyof Change; // Sound: it is a key of a change.
    if (fact === "without" || change[fact] !== cell[fact]) return false;
  }
  return true;
}

function conditionsOf(cell: Cell, { conditions = cell.conditions, without }: Change): Facts["conditions"] {
  return without === undefined ? conditions : { ...conditions, [without]: false };
}
