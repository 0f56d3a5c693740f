import type { Conditions, PolicyData, Principal, Resource } from "../../src/policy/index.js";

/** One question to a policy. */
export interface Cell {
  readonly principal: Principal;
  readonly permission: string;
  readonly resource: Resource;
  readonly conditions: Conditions;
}

export const unknownName = "unheard-of";

/** Every class of principal: each role, no role and an unknown role in the org and in two projects, as user and as key. */
export function principals(spec: PolicyData): Principal[] {
  const orgRoles = [undefined, ...Object.keys(spec.orgRoles), unknownName];
  const projectRoles = [undefined, ...Object.keys(spec.projectRoles), unknownName];
  return orgRoles.flatMap((orgRole) =>
    projectRoles.flatMap((here) =>
      projectRoles.flatMap((elsewhere) =>
        [undefined, "here", "elsewhere"].map((via) => ({
          userId: "me",
          orgId: "org",
          ...(orgRole === undefined ? {} : { orgRole }),
          projectRoles: {
            ...(here === undefined ? {} : { here }),
            ...(elsewhere === undefined ? {} : { elsewhere }),
          },
          ...(via === undefined ? {} : { via: { keyId: "key", projectId: via } }),
        })),
      ),
    ),
  );
}

/** Every place a resource can be in: this org and another, each project and one that nobody was added to, mine and not. */
export function resources(): Resource[] {
  return ["org", "otherOrg"].flatMap((orgId) =>
    ["here", "elsewhere", "nowhere"].flatMap((projectId) =>
      ["me", "you"].map((userId) => ({ orgId, projectId, userId })),
    ),
  );
}

/** Every combination of a policy's conditions. */
export function situations({ conditions }: PolicyData): Conditions[] {
  return Object.keys(conditions).reduce<Conditions[]>(
    (all, name) => all.flatMap((one) => [one, { ...one, [name]: true }]),
    [{}],
  );
}

/**
 * The whole finite domain of a policy.
 *
 * INVARIANT: what a cap names in a test is one of these orgs and projects.
 */
export function* cells(spec: PolicyData): Generator<Cell> {
  const places = resources();
  for (const principal of principals(spec)) {
    for (const permission of [...Object.keys(spec.permissions), unknownName]) {
      for (const resource of places) {
        for (const conditions of situations(spec)) yield { principal, permission, resource, conditions };
      }
    }
  }
}
