import { type Kind, type Reach, reachOf } from "./permission.js";
import type { PolicyData } from "./spec.js";
import type { Roles } from "./spec-schema.js";
import { denied, type Verdict } from "./verdict.js";

/** One cell of a policy: how far a role's permission goes, and the verdict where it does. */
export interface Rule {
  readonly reach: Reach;
  readonly verdict: Verdict;
}

/** The rules of one permission, by role. INVARIANT: every role of the policy has one, so a missing one is unknown. */
export interface PermissionRules {
  readonly kind: Kind;
  readonly orgRoles: ReadonlyMap<string, Rule>;
  readonly projectRoles: ReadonlyMap<string, Rule>;
  readonly baseOrgRole: string;
  /** The rule that `orgRoles` has for `baseOrgRole`. */
  readonly baseRule: Rule;
}

/** A policy compiled into a total table, by permission. Maps, so that `__proto__` or `constructor` is only a name. */
export type Table = ReadonlyMap<string, PermissionRules>;

/** Compiles a checked spec: every role gives every permission a reach. */
export function compile({ permissions, orgRoles, projectRoles, baseOrgRole }: PolicyData): Table {
  return new Map(
    Object.entries(permissions).map(([permission, kind]) => {
      const orgRules = rulesOf("org", orgRoles, permission);
      const rules = {
        kind,
        orgRoles: orgRules,
        projectRoles: rulesOf("project", projectRoles, permission),
        baseOrgRole,
        baseRule: orgRules.get(baseOrgRole) ?? noRule,
      };
      return [permission, Object.freeze(rules)];
    }),
  );
}

/** The rule of an org role. Nearly everybody has the base role, and comparing takes a tenth of looking it up. */
export function orgRuleOf(rules: PermissionRules, orgRole: string): Rule | undefined {
  return orgRole === rules.baseOrgRole ? rules.baseRule : rules.orgRoles.get(orgRole);
}

const noRule: Rule = Object.freeze({ reach: "none", verdict: denied.not_granted });

function rulesOf(scope: "org" | "project", roles: Roles, permission: string): Map<string, Rule> {
  return new Map(
    Object.entries(roles).map(([role, grants]) => [
      role,
      ruleOf(`${scope}:${role}/${permission}`, reachOf(grants, permission)),
    ]),
  );
}

function ruleOf(by: string, reach: Reach): Rule {
  if (reach === "none") return noRule;
  return Object.freeze({ reach, verdict: Object.freeze({ allowed: true, by }) });
}
