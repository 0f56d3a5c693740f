import { authorize } from "../../policy/authorize.js";
import type { Cap } from "../../policy/cap.js";
import type { Grant } from "../../policy/grant.js";
import type { Kind } from "../../policy/permission.js";
import type { Policy } from "../../policy/policy.js";
import type { PolicyData } from "../../policy/spec.js";
import { compile } from "../../policy/table.js";
import type { Authorizer } from "./cell.js";

/** A policy in which one rule is another. */
interface Mutant {
  /**
   * The id of the rule, as in a verdict: `project:admin/key.revoke`, or of a cap and a permission:
   * `cap:freeze/key.create`.
   */
  readonly rule: string;
  /** What the rule says, and what the mutant says instead. */
  readonly from: string;
  readonly to: string;
  /** The only permission about which the mutant answers differently. */
  readonly permission: string;
  readonly policy: Authorizer;
}

/** Every policy that differs in one grant of one role, or in one permission or the condition of one cap. */
export function* mutantsOf(policy: Policy): Generator<Mutant> {
  for (const [permission, kind] of Object.entries(policy.spec.permissions)) {
    const small = specOf(policy.spec, permission);
    for (const change of changesOf(small, permission, kind, grantsOf(kind, Object.keys(small.conditions)))) {
      yield mutant(policy, permission, change);
    }
    for (const [id, cap] of Object.entries<Cap>(policy.spec.caps)) {
      if (cap.permissions.includes(permission) || (kind === "org" && cap.at === "project")) continue;
      const spec = { ...small, caps: { ...small.caps, [id]: { ...cap, permissions: [permission] } } };
      const change = {
        rule: `cap:${id}/${permission}`,
        from: "no cap",
        to: capInWords(cap),
        removes: false,
        spec,
      };
      yield mutant(policy, permission, change);
    }
  }
}

/** Every policy without one of its rules. */
export function* withoutEachRule(policy: Policy): Generator<Mutant> {
  for (const [permission, kind] of Object.entries(policy.spec.permissions)) {
    const small = specOf(policy.spec, permission);
    for (const change of changesOf(small, permission, kind, ["none"])) {
      if (change.removes) yield mutant(policy, permission, change);
    }
  }
}

interface Change {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly removes: boolean;
  readonly spec: PolicyData;
}

/**
 * The part of a spec that decides about one permission. A whole policy for each mutant would take its time to check.
 */
function specOf(spec: PolicyData, permission: string): PolicyData {
  const only = (roles: PolicyData["orgRoles"]) =>
    Object.fromEntries(
      Object.entries(roles).map(([role, grants]) => {
        const grant = Object.hasOwn(grants, permission) ? grants[permission] : undefined;
        return [role, grant === undefined ? {} : { [permission]: grant }];
      }),
    );
  const { permissions, orgRoles, projectRoles, caps } = spec;
  return {
    ...spec,
    permissions: { [permission]: permissions[permission] ?? "org" },
    orgRoles: only(orgRoles),
    projectRoles: only(projectRoles),
    caps: Object.fromEntries(
      Object.entries(caps)
        .filter(([, cap]) => cap.permissions.includes(permission))
        .map(([id, cap]) => [id, { ...cap, permissions: [permission] }]),
    ),
    rows: [],
  };
}

/** The other grants and caps that a permission could have; `all` is every grant of its kind. */
function* changesOf(
  spec: PolicyData,
  permission: string,
  kind: Kind,
  all: readonly Grant[],
): Generator<Change> {
  for (const scope of kind === "org" ? (["orgRoles"] as const) : (["orgRoles", "projectRoles"] as const)) {
    for (const [role, grants] of Object.entries(spec[scope])) {
      const rule = `${scope === "orgRoles" ? "org" : "project"}:${role}/${permission}`;
      const granted = Object.hasOwn(grants, permission) ? grants[permission] : undefined;
      const from = grantInWords(granted ?? "none");
      for (const grant of all) {
        const to = grantInWords(grant);
        if (to === from) continue;
        const changed = { ...spec, [scope]: { ...spec[scope], [role]: { [permission]: grant } } };
        yield { rule, from, to, removes: to === "none", spec: changed };
      }
    }
  }
  for (const [id, cap] of Object.entries<Cap>(spec.caps)) {
    const rule = `cap:${id}/${permission}`;
    const from = capInWords(cap);
    const { [id]: _, ...others } = spec.caps;
    yield { rule, from, to: "no cap", removes: true, spec: { ...spec, caps: others } };
    const { unless: __, ...strict } = cap;
    for (const unless of [undefined, ...Object.keys(spec.conditions)]) {
      const other: Cap = unless === undefined ? strict : { ...strict, unless };
      if (other.unless === cap.unless) continue;
      const changed = { ...spec, caps: { ...spec.caps, [id]: other } };
      yield { rule, from, to: capInWords(other), removes: false, spec: changed };
    }
  }
}

function mutant(policy: Policy, permission: string, { rule, from, to, spec }: Change): Mutant {
  // Not checked again: it is a checked spec but for one rule, and its caps may name thousands of scopes.
  const table = compile(spec);
  const changed: Authorizer = {
    authorize: (principal, asked, resource, conditions) =>
      asked === permission
        ? authorize(table, principal, asked, resource, conditions)
        : policy.authorize(principal, asked, resource, conditions),
  };
  return { rule, from, to, permission, policy: changed };
}

function grantsOf(kind: Kind, conditions: readonly string[]): Grant[] {
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

function grantInWords(grant: Grant): string {
  if (typeof grant === "string") return grant;
  const otherwise = grant.otherwise === undefined ? "" : `, else ${grant.otherwise}`;
  return `${grant.reach} when ${grant.when}${otherwise}`;
}

function capInWords({ unless }: Cap): string {
  return unless === undefined ? "capped" : `capped unless ${unless}`;
}
