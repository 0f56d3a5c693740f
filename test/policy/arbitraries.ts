import fc from "fast-check";
import {
  definePolicy,
  type Kind,
  type Permissions,
  type Policy,
  type Principal,
  type Reach,
  type Resource,
} from "../../src/policy/index.js";
import { unknownName } from "./domain.js";

/** Few names, so that they meet; some that every object inherits, and one that is sorted as a number. */
const names = ["boss", "member", "viewer", "constructor", "toString", "1"];
const ids = ["here", "elsewhere", "constructor", "toString"];

const anyName = fc.constantFrom(...names);

type Grants = Readonly<Record<string, Reach | undefined>>;

/** What a role may be given: any reach that a permission can have, and at least what `present` has. */
function grants(permissions: Permissions, scope: "org" | "project", present: Grants = {}) {
  const possible = (["none", "own", "all"] as const).map((reach, width) => ({ reach, width }));
  const reaches = Object.entries(permissions)
    .filter(([, kind]) => scope === "org" || kind !== "org")
    .map(([permission, kind]) => {
      const has = Object.hasOwn(present, permission) ? present[permission] : "none";
      const least = possible.findIndex(({ reach }) => reach === has);
      const allowed = possible.filter(
        ({ reach, width }) => width >= least && (kind === "owned" || reach !== "own"),
      );
      return [permission, fc.constantFrom(...allowed.map(({ reach }) => reach))] as const;
    });
  return fc.record(Object.fromEntries(reaches), { requiredKeys: [] });
}

/** A random policy with up to three roles on either level. */
export const anyPolicy: fc.Arbitrary<Policy> = fc
  .dictionary(anyName, fc.constantFrom<Kind>("org", "project", "owned"), { minKeys: 1, maxKeys: 5 })
  .chain((permissions) =>
    fc.record({
      permissions: fc.constant(permissions),
      orgRoles: fc.dictionary(anyName, grants(permissions, "org"), { minKeys: 1, maxKeys: 3 }),
      projectRoles: fc.dictionary(anyName, grants(permissions, "project"), { maxKeys: 3 }),
    }),
  )
  .chain((parts) =>
    fc.constantFrom(...Object.keys(parts.orgRoles)).map((baseOrgRole) => ({ ...parts, baseOrgRole })),
  )
  .map((spec): Policy => definePolicy(spec));

/** A policy, and the same with some of its reaches raised. */
export const raisedPolicy: fc.Arbitrary<{ before: Policy; after: Policy }> = anyPolicy.chain((before) => {
  const raised = (scope: "org" | "project", roles: Readonly<Record<string, Grants>>) => {
    const raises = Object.entries(roles).map(
      ([role, present]) => [role, grants(before.spec.permissions, scope, present)] as const,
    );
    return fc.record(Object.fromEntries(raises));
  };
  return fc
    .record({
      orgRoles: raised("org", before.spec.orgRoles),
      projectRoles: raised("project", before.spec.projectRoles),
    })
    .map((raise) => ({ before, after: before.extend({ raise }) }));
});

/** A principal of a policy, or nearly: some roles it does not have, some ids that objects inherit. */
export function principalOf({ spec }: Policy): fc.Arbitrary<Principal> {
  const projectRole = fc.constantFrom(...Object.keys(spec.projectRoles), unknownName);
  return fc.record(
    {
      userId: fc.constantFrom("me", "you"),
      orgId: fc.constantFrom("org", "otherOrg"),
      orgRole: fc.constantFrom(...Object.keys(spec.orgRoles), unknownName),
      projectRoles: fc.dictionary(fc.constantFrom(...ids), projectRole),
      via: fc.record({ keyId: fc.constant("key"), projectId: fc.constantFrom(...ids) }),
    },
    { requiredKeys: ["userId", "orgId", "projectRoles"] },
  );
}

export function permissionOf({ spec }: Policy): fc.Arbitrary<string> {
  return fc.constantFrom(...Object.keys(spec.permissions), unknownName);
}

/** A resource, sometimes without an id that is needed, or with an empty one. */
export const anyResource: fc.Arbitrary<Resource> = fc.record(
  {
    orgId: fc.constantFrom("org", "otherOrg", ""),
    projectId: fc.constantFrom(...ids, "nowhere", ""),
    userId: fc.constantFrom("me", "you", ""),
  },
  { requiredKeys: ["orgId"] },
);

/** A policy, somebody, and a question. */
export const anyQuestion = anyPolicy.chain((policy) =>
  fc.record({
    policy: fc.constant(policy),
    principal: principalOf(policy),
    permission: permissionOf(policy),
    resource: anyResource,
  }),
);
