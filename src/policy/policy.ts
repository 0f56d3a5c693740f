import { authorize } from "./authorize.js";
import { type Extended, extended, type PolicyExtension } from "./extension.js";
import type { Permissions, ResourceOf } from "./permission.js";
import type { Principal } from "./principal.js";
import type { PolicyData, PolicySpec } from "./spec.js";
import { parseSpec } from "./spec-schema.js";
import { compile } from "./table.js";
import type { Verdict } from "./verdict.js";
import { type Visible, visible } from "./visible.js";

/**
 * Who may do what: pure, synchronous and frozen. Default deny.
 *
 * A policy with more permissions and roles serves wherever one with fewer is wanted.
 */
export interface Policy<
  P extends Permissions = Permissions,
  OrgRole extends string = string,
  ProjectRole extends string = string,
> {
  /** The whole policy as plain data, to store and to compare; `definePolicy` makes a policy of it that decides the same. */
  readonly spec: PolicyData<P, OrgRole, ProjectRole>;

  /**
   * Decides whether a principal may do something to a resource.
   *
   * Roles add up: the org role everywhere in the org, a project role in its project. A key (`via`) reaches what its
   * holder reaches, in its own project only, and no permission about the org. Nothing crosses an org.
   *
   * @param principal Trusted: as the directory knows them now.
   * @param permission One of the policy's; any other is denied as `unknown_permission`.
   * @param resource With the ids that the permission takes; without one it is denied as `invalid_resource`.
   * @returns A frozen verdict; a denial is never an exception.
   */
  authorize<Id extends keyof P & string>(
    principal: Principal,
    permission: Id,
    resource: ResourceOf<P[Id]>,
  ): Verdict;

  /**
   * Finds where `authorize` would allow a permission, to filter a list without asking for each item.
   *
   * @param principal Trusted: as the directory knows them now.
   * @param permission One of the policy's; any other is visible nowhere.
   * @returns `{ all: true }` for everything in the principal's own org, else the projects, and whether one's own.
   */
  visible(principal: Principal, permission: keyof P & string): Visible;

  /**
   * Makes a policy that grants all that this one does, and more.
   *
   * @throws ValidationError if a new name is taken, a raised role unknown, or a reach would be lowered.
   */
  extend<
    // No new permissions and no new roles, unless the extension has some.
    const Q extends Permissions = Record<never, never>,
    NewOrgRole extends string = never,
    NewProjectRole extends string = never,
  >(
    extension: PolicyExtension<P, OrgRole, ProjectRole, Q, NewOrgRole, NewProjectRole>,
  ): Policy<Extended<P, Q>, OrgRole | NewOrgRole, ProjectRole | NewProjectRole>;
}

/** The permissions of a policy, each with its kind. */
export type PermissionsOf<T> = T extends Policy<infer P, infer _OrgRole, infer _ProjectRole> ? P : never;

/**
 * Makes a policy of a spec: permissions, and what each role grants. What is not granted is denied.
 *
 * @param spec Plain data. In code the compiler checks it; from JSON it is checked here.
 * @throws ValidationError naming each field that is wrong: an unknown permission or role, a reach that a permission
 *   cannot have, a project role with a permission about the org.
 */
export function definePolicy<
  const P extends Permissions,
  OrgRole extends string,
  ProjectRole extends string = never,
>(spec: PolicySpec<P, OrgRole, ProjectRole>): Policy<P, OrgRole, ProjectRole> {
  return policyOf(parseSpec(spec));
}

function policyOf<P extends Permissions, OrgRole extends string, ProjectRole extends string>(
  spec: PolicyData,
): Policy<P, OrgRole, ProjectRole> {
  const table = compile(spec);
  return Object.freeze<Policy<P, OrgRole, ProjectRole>>({
    // Sound: both callers check a spec of these types, which keeps every name and every reach.
    spec: spec as PolicyData<P, OrgRole, ProjectRole>,
    authorize: (principal, permission, resource) => authorize(table, principal, permission, resource),
    visible: (principal, permission) => visible(table, principal, permission),
    extend: (extension) => policyOf(extended(spec, extension)),
  });
}
