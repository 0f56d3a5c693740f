import { type Cap, type CompiledCap, compileCap } from "./cap.js";
import { type FullGrant, grantOf } from "./grant.js";
import type { Kind } from "./permission.js";
import type { PolicyData } from "./spec.js";
import type { Roles } from "./spec-schema.js";
import { denied, type Verdict } from "./verdict.js";

/** One cell of a policy: how far a role's permission goes, and the verdict where it does. */
export interface Rule extends FullGrant {
  readonly verdict: Verdict;
  /** The verdict where it would reach if its condition held; absent without one. */
  readonly unmet: Verdict | undefined;
}

/** The rules of one permission, by role. INVARIANT: every role of the policy has one, so a missing one is unknown. */
export interface PermissionRules {
  readonly kind: Kind;
  readonly orgRoles: ReadonlyMap<string, Rule>;
  readonly projectRoles: ReadonlyMap<string, Rule>;
  readonly baseOrgRole: string;
  /** The rule that `orgRoles` has for `baseOrgRole`. */
  readonly baseRule: Rule;
  /** The first two of `projectRoles`: most policies have no more. */
  readonly firstProjectRole: string | undefined;
  readonly firstProjectRule: Rule | undefined;
  readonly secondProjectRole: string | undefined;
  readonly secondProjectRule: Rule | undefined;
  /** The caps that name the permission; absent where none does, so that nothing is looked for. */
  readonly caps: readonly CompiledCap[] | undefined;
}

/** A policy compiled into a total table, by permission. Maps, so that `__proto__` or `constructor` is only a name. */
export type Table = ReadonlyMap<string, PermissionRules>;

/** Compiles a checked spec: every role gives every permission a reach. */
export function compile({ permissions, orgRoles, projectRoles, baseOrgRole, caps }: PolicyData): Table {
  const compiled = Object.entries<Cap>(caps).map(([id, cap]) => ({
    names: new Set(cap.permissions),
    cap: compileCap(id, cap),
  }));
  return new Map(
    Object.entries(permissions).map(([permission, kind]) => {
      const orgRules = rulesOf("org", orgRoles, permission);
      const projectRules = rulesOf("project", projectRoles, permission);
      const [first, second] = projectRules;
      const naming = compiled.filter(({ names }) => names.has(permission)).map(({ cap }) => cap);
      const rules = {
        kind,
        orgRoles: orgRules,
        projectRoles: projectRules,
        baseOrgRole,
        baseRule: orgRules.get(baseOrgRole) ?? noRule,
        firstProjectRole: first?.[0],
        firstProjectRule: first?.[1],
        secondProjectRole: second?.[0],
        secondProjectRule: second?.[1],
        caps: naming.length > 0 ? naming : undefined,
      };
      return [permission, Object.freeze(rules)];
    }),
  );
}

/** The rule of an org role. Nearly everybody has the base role, and comparing takes a tenth of looking it up. */
export function orgRuleOf(rules: PermissionRules, orgRole: string): Rule | undefined {
  return orgRole === rules.baseOrgRole ? rules.baseRule : rules.orgRoles.get(orgRole);
}

/** The rule of a project role, compared with the likely ones first, as above. */
export function projectRuleOf(rules: PermissionRules, projectRole: string): Rule | undefined {
  if (projectRole === rules.firstProjectRole) return rules.firstProjectRule;
  if (projectRole === rules.secondProjectRole) return rules.secondProjectRule;
  return rules.projectRoles.get(projectRole);
}

const noRule: Rule = ruleOf("", { reach: "none", when: undefined, within: "none" });

function rulesOf(scope: "org" | "project", roles: Roles, permission: string): Map<string, Rule> {
  return new Map(
    Object.entries(roles).map(([role, grants]) => {
      const grant = grantOf(grants, permission);
      return [role, grant.within === "none" ? noRule : ruleOf(`${scope}:${role}/${permission}`, grant)];
    }),
  );
}

function ruleOf(by: string, { reach, within, when }: FullGrant): Rule {
  const verdict: Verdict =
    within === "none" ? denied.not_granted : Object.freeze({ allowed: true as const, by });
  const unmet: Verdict | undefined =
    when === undefined
      ? undefined
      : Object.freeze({ allowed: false as const, reason: "condition_unmet" as const, by, needs: when });
  return Object.freeze({ reach, when, within, verdict, unmet });
}
