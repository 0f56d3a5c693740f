import { ValidationError } from "../../model/errors.js";
import { combinations } from "../../policy/condition.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import { type Cell, type Facts, type NamesOf, type Place, questionOf } from "./cell.js";
import { placesOf } from "./places.js";
import { type Shape, shapeOf } from "./shape.js";

/**
 * Lists every cell of a policy: each org role or none; each role or none in the project that is asked about and in
 * another; as a person or through a key; each permission, in the principal's org or another, in every place that is
 * capped differently; for what is theirs and what is not; under each combination of conditions.
 *
 * For roles and names of the policy, one of these cells answers anything that `authorize` can be asked. They are
 * ordered from simple to odd, so that the first counterexample is easy to understand.
 *
 * @throws ValidationError for a policy of more than 10,000,000 cells
 */
export function cells<T extends Policy>(policy: T): Cell<NamesOf<T>>[] {
  const shape = shapeOf(policy);
  checkSize(shape);
  return [...cellsOf(shape)] as Cell<NamesOf<T>>[]; // Sound: the names are those of the policy.
}

/**
 * The most cells of a policy. `cells` takes one and a half gigabytes for this many, and a proof of the laws half a
 * minute.
 */
const CELLS_MAX = 10_000_000;

/**
 * Refuses a policy with too many cells before any is made.
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
        `at most ${CELLS_MAX} cells, and there are ${count}, from ${product}; prove claims about a smaller policy, without ` +
        "some of its caps, conditions or roles, such as the one before extend adds them",
    },
  ]);
}

/** How many cells {@link cellsOf} yields for a shape. */
export function countOf(shape: Shape): number {
  const { places, orgs } = placesOf(shape);
  const inProject = shape.projectRoles.length + 1;
  // Whether it is their own org, the role in it, and the role in the project.
  const perPlace = 2 * (shape.orgRoles.length + 1) * inProject;
  // Whether through a key, here or elsewhere, and the role in the other project.
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

/**
 * Restricts cells to some facts. In another org nobody may do anything, and a role in another project gives nothing:
 * both are laws.
 */
export interface Only {
  readonly key?: null;
  readonly sameOrg?: true;
  readonly otherProjectRole?: null;
}

/**
 * The {@link cells} of a shape, one after the other, since all of them at once may not fit into memory.
 *
 * @param only yields only cells with these facts. Default: all cells.
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

/** Millions of them are made, and spreading the facts would take several times as long. */
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
