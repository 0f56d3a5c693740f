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
 * Who may do what: pure, synchronous and frozen. Whatever is not granted is denied.
 *
 * A policy with more permissions and roles can be used wherever one with fewer is expected.
 */
export interface Policy<
  P extends Permissions = Permissions,
  OrgRole extends string = string,
  ProjectRole extends string = string,
  Condition extends string = string,
  CapId extends string = string,
> {
  /**
   * The whole policy as plain data, to store and to compare. `definePolicy` turns it into a policy that decides the
   * same.
   */
  readonly spec: PolicyData<P, OrgRole, ProjectRole, Condition, CapId>;

  /**
   * Decides whether a principal may do something to a resource.
   *
   * Roles add up: the org role counts everywhere in the org, a project role in its project. A principal that acts
   * through a key (`via`) reaches what the holder reaches, but only in the key's project, and has no permission about
   * the org. Nothing crosses an org. A permission that a cap on the org or the project names is denied to everybody.
   *
   * @param principal Trusted: the user as the directory knows them now.
   * @param permission A permission of the policy. Any other is denied as `unknown_permission`.
   * @param resource The resource, with the ids that the permission needs. Without one of them it is denied as
   *   `invalid_resource`.
   * @param conditions Trusted: the conditions that hold for this call. One that is left out does not hold.
   * @returns A frozen verdict. A denial is never an exception.
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
   * @param principal Trusted: the user as the directory knows them now.
   * @param permission A permission of the policy. Any other is visible nowhere.
   * @param conditions As for `authorize`.
   * @returns `{ all: true }` for everything in the principal's own org; otherwise the projects, and whether the
   *   principal's own things are included.
   */
  visible(principal: Principal, permission: keyof P & string, conditions?: Conditions<Condition>): Visible;

  /**
   * Decides whether an actor may give somebody a role without handing out more than the actor holds.
   *
   * Whatever the target would reach in the scope of the role, by all their roles there and under every combination of
   * conditions, the actor must reach there too. Caps are ignored on both sides: they belong to the scope and may be
   * lifted later. Whether the actor may assign roles at all is a permission, and a question for `authorize`.
   *
   * @param actor Trusted: who gives the role, as the directory knows them now.
   * @param target Trusted: who gets it, as they are now. Without `orgRole` if they are not in the org yet.
   * @param role An org role, which counts for the org and all its projects, or a project role with its project.
   * @throws ValidationError if the role is neither, or both.
   */
  canAssign(actor: Principal, target: Principal, role: RoleGiven<OrgRole, ProjectRole>): Assignment;

  /**
   * Makes a policy from this one and an extension: more permissions, roles, grants, conditions and caps.
   *
   * @throws ValidationError if a new name is taken, a raised role is unknown, or a reach would be lowered.
   */
  extend<
    // Nothing new unless the extension says so.
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
export type PermissionsOf<T> = T extends Policy<infer P> ? P : never;

/**
 * Makes a policy from a spec: permissions, and what each role grants. Whatever is not granted is denied.
 *
 * @param spec Plain data. In code the compiler checks it; from JSON it is checked here.
 * @throws ValidationError naming each wrong field: an unknown permission, role or condition, a reach that a permission
 *   cannot have, or a project role with a permission about the org.
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
