import { type Assignment, canAssign, type RoleGiven } from "./assignment.js";
import { authorize } from "./authorize.js";
import type { Conditions } from "./condition.js";
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
  Condition extends string = string,
  CapId extends string = string,
> {
  /** The whole policy as plain data, to store and to compare; `definePolicy` makes a policy of it that decides the same. */
  readonly spec: PolicyData<P, OrgRole, ProjectRole, Condition, CapId>;

  /**
   * Decides whether a principal may do something to a resource.
   *
   * Roles add up: the org role everywhere in the org, a project role in its project. A key (`via`) reaches what its
   * holder reaches, in its own project only, and no permission about the org. Nothing crosses an org. What a cap on the
   * org or the project names is denied whoever asks.
   *
   * @param principal Trusted: as the directory knows them now.
   * @param permission One of the policy's; any other is denied as `unknown_permission`.
   * @param resource With the ids that the permission takes; without one it is denied as `invalid_resource`.
   * @param conditions Trusted: which conditions hold for this call. One that is left out does not.
   * @returns A frozen verdict; a denial is never an exception.
   */
  authorize<Id extends keyof P & string>(
    principal: Principal,
    permission: Id,
    resource: ResourceOf<P[Id]>,
    conditions?: Conditions<Condition>,
  ): Verdict;

  /**
   * Finds where `authorize` would allow a permission, to filter a list without asking for each item.
   *
   * @param principal Trusted: as the directory knows them now.
   * @param permission One of the policy's; any other is visible nowhere.
   * @param conditions As for `authorize`.
   * @returns `{ all: true }` for everything in the principal's own org, else the projects, and whether one's own.
   */
  visible(principal: Principal, permission: keyof P & string, conditions?: Conditions<Condition>): Visible;

  /**
   * Whether somebody may give a role to somebody without handing out more than they hold.
   *
   * What the target would reach in the scope of the role, by all their roles there and under every combination of
   * conditions, the actor must reach there, too. Caps count for neither: they are on the scope and may be lifted later.
   * It does not ask whether the actor may assign roles at all; that is a permission, for `authorize`.
   *
   * @param actor Trusted: who gives it, as the directory knows them now.
   * @param target Trusted: who gets it, as they are now; without `orgRole` where they are not in the org yet.
   * @param role An org role, which is for the org and every project of it; or a project role, for its project.
   * @throws ValidationError if the role is neither, or both.
   */
  canAssign(actor: Principal, target: Principal, role: RoleGiven<OrgRole, ProjectRole>): Assignment;

  /**
   * Makes a policy of this one and an extension: more permissions, roles, grants, conditions and caps.
   *
   * @throws ValidationError if a new name is taken, a raised role unknown, or a reach would be lowered.
   */
  extend<
    // Nothing new, unless the extension has some.
    const Q extends Permissions = Record<never, never>,
    NewOrgRole extends string = never,
    NewProjectRole extends string = never,
    NewCondition extends string = never,
    NewCapId extends string = never,
  >(
    extension: PolicyExtension<
      P,
      OrgRole,
      ProjectRole,
      Condition,
      CapId,
      Q,
      NewOrgRole,
      NewProjectRole,
      NewCondition,
      NewCapId
    >,
  ): Policy<
    Extended<P, Q>,
    OrgRole | NewOrgRole,
    ProjectRole | NewProjectRole,
    Condition | NewCondition,
    CapId | NewCapId
  >;
}

/** The permissions of a policy, each with its kind. */
export type PermissionsOf<T> = T extends {
  readonly spec: { readonly permissions: infer P extends Permissions };
}
  ? P
  : never;

/**
 * Makes a policy of a spec: permissions, and what each role grants. What is not granted is denied.
 *
 * @param spec Plain data. In code the compiler checks it; from JSON it is checked here.
 * @throws ValidationError naming each field that is wrong: an unknown permission, role or condition, a reach that a
 *   permission cannot have, a project role with a permission about the org.
 */
export function definePolicy<
  const P extends Permissions,
  OrgRole extends string,
  ProjectRole extends string = never,
  Condition extends string = never,
  CapId extends string = never,
>(
  spec: PolicySpec<P, OrgRole, ProjectRole, Condition, CapId>,
): Policy<P, OrgRole, ProjectRole, Condition, CapId> {
  return policyOf(parseSpec(spec));
}

function policyOf<
  P extends Permissions,
  OrgRole extends string,
  ProjectRole extends string,
  Condition extends string,
  CapId extends string,
>(spec: PolicyData): Policy<P, OrgRole, ProjectRole, Condition, CapId> {
  const table = compile(spec);
  return Object.freeze<Policy<P, OrgRole, ProjectRole, Condition, CapId>>({
    // Sound: both callers check a spec of these types, which keeps every name and every reach.
    spec: spec as PolicyData<P, OrgRole, ProjectRole, Condition, CapId>,
    authorize: (principal, permission, resource, conditions) =>
      authorize(table, principal, permission, resource, conditions),
    visible: (principal, permission, conditions) => visible(table, principal, permission, conditions),
    canAssign: (actor, target, role) => canAssign(spec, actor, target, role),
    extend: (extension) => policyOf(extended(spec, extension)),
  });
}
