import fc from "fast-check";
import { anyPrincipal } from "../../src/arbitraries.js";
import {
  type Cap,
  type Conditions,
  definePolicy,
  type Grant,
  type Kind,
  type Permissions,
  type Policy,
  type Principal,
  type Resource,
} from "../../src/policy/index.js";
import { unknownName } from "./domain.js";

/** Few names, so that they meet; some that every object inherits, and one that is sorted as a number. */
const names = ["boss", "member", "viewer", "constructor", "toString", "1"];
const ids = ["here", "elsewhere", "constructor", "toString"];

const anyName = fc.constantFrom(...names);

type Grants = Readonly<Record<string, Grant | undefined>>;

/** What conditions are called; `constructor` holds in every object for whoever looks carelessly. */
const conditionNames = ["mfa", "constructor"];

const widths = { none: 0, own: 1, all: 2 };

/** How far a grant goes without any condition, and with each. */
function widthsOf(grant: Grant | undefined): number[] {
  if (typeof grant !== "object") return ["", ...conditionNames].map(() => widths[grant ?? "none"]);
  return ["", ...conditionNames].map((name) =>
    name === grant.when ? widths[grant.reach] : widths[grant.otherwise ?? "none"],
  );
}

/** Every grant there is for a kind, under some conditions. */
function grantsOfKind(kind: Kind, conditions: readonly string[]): Grant[] {
  const plain: Grant[] = kind === "owned" ? ["none", "own", "all"] : ["none", "all"];
  const conditional = conditions.flatMap((when): Grant[] =>
    kind === "owned"
      ? [
          { reach: "own", when },
          { reach: "all", when },
          { reach: "all", when, otherwise: "own" },
        ]
      : [{ reach: "all", when }],
  );
  return [...plain, ...conditional];
}

/** What a role may be given: any grant that a permission can have, and at least what `present` has. */
function grants(
  permissions: Permissions,
  conditions: readonly string[],
  scope: "org" | "project",
  present: Grants = {},
) {
  const possible = Object.entries(permissions)
    .filter(([, kind]) => scope === "org" || kind !== "org")
    .map(([permission, kind]) => {
      const has = widthsOf(Object.hasOwn(present, permission) ? present[permission] : "none");
      const allowed = grantsOfKind(kind, conditions).filter((grant) =>
        widthsOf(grant).every((width, place) => width >= (has[place] ?? 0)),
      );
      return [permission, fc.constantFrom(...allowed)] as const;
    });
  return fc.record(Object.fromEntries(possible), { requiredKeys: [] });
}

/** Caps on the orgs and projects of the domain, or on every org. */
function caps(permissions: Permissions, conditions: readonly string[]): fc.Arbitrary<Record<string, Cap>> {
  const named = (names: string[]) => fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 });
  const orgCap = (): fc.Arbitrary<Cap> =>
    fc.record(
      {
        at: fc.constant("org" as const),
        orgIds: named(["org", "otherOrg"]),
        permissions: named(Object.keys(permissions)),
      },
      { requiredKeys: ["at", "permissions"] },
    );
  const inProjects = Object.keys(permissions).filter((permission) => permissions[permission] !== "org");
  const project = fc.record({
    orgId: fc.constantFrom("org", "org", "otherOrg"),
    projectId: fc.constantFrom("here", "elsewhere", "constructor"),
  });
  const projectCap = (): fc.Arbitrary<Cap> =>
    fc.record({
      at: fc.constant("project" as const),
      projects: fc.array(project, { minLength: 1, maxLength: 3 }),
      permissions: named(inProjects),
    });
  const plain = inProjects.length > 0 ? fc.oneof(orgCap(), projectCap()) : orgCap();
  const lifted = plain.chain((cap) =>
    fc.constantFrom(...conditions).map((unless): Cap => ({ ...cap, unless })),
  );
  return fc.dictionary(anyName, conditions.length > 0 ? fc.oneof(plain, lifted) : plain, { maxKeys: 2 });
}

/** A random policy with up to three roles on either level, two conditions and two caps. */
export const anyPolicy: fc.Arbitrary<Policy> = fc
  .dictionary(anyName, fc.constantFrom<Kind>("org", "project", "owned"), { minKeys: 1, maxKeys: 5 })
  .chain((permissions) => fc.subarray(conditionNames).map((conditions) => ({ permissions, conditions })))
  .chain(({ permissions, conditions }) =>
    fc.record({
      permissions: fc.constant(permissions),
      orgRoles: fc.dictionary(anyName, grants(permissions, conditions, "org"), { minKeys: 1, maxKeys: 3 }),
      projectRoles: fc.dictionary(anyName, grants(permissions, conditions, "project"), { maxKeys: 3 }),
      conditions: fc.constant(Object.fromEntries(conditions.map((name) => [name, `${name} in words`]))),
      caps: caps(permissions, conditions),
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
      ([role, present]) =>
        [role, grants(before.spec.permissions, Object.keys(before.spec.conditions), scope, present)] as const,
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
export function principalOf(policy: Policy): fc.Arbitrary<Principal> {
  const here = {
    userIds: ["me", "you"],
    orgIds: ["org", "otherOrg"],
    projectIds: ids,
    unknownRole: unknownName,
  };
  return anyPrincipal(fc, policy, here);
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

/** What a gateway found out about a call: some conditions, said to hold or not to, and one that no policy has. */
export const anyConditions: fc.Arbitrary<Conditions> = fc.record(
  { mfa: fc.boolean(), constructor: fc.boolean(), [unknownName]: fc.boolean() },
  { requiredKeys: [] },
);

/** A policy, somebody, and a question. */
export const anyQuestion = anyPolicy.chain((policy) =>
  fc.record({
    policy: fc.constant(policy),
    principal: principalOf(policy),
    permission: permissionOf(policy),
    resource: anyResource,
    conditions: anyConditions,
  }),
);
