/** Why a request was denied. The checks are made in this order, and the first that fails answers. */
export type VerdictReason =
  /** The policy has no such permission. */
  | "unknown_permission"
  /** The resource lacks an id that the permission needs. */
  | "invalid_resource"
  /** The resource is in another org than the principal. */
  | "other_org"
  /** The principal has no org role. */
  | "not_in_org"
  /** The principal acts through a key and asked for something outside the key's project. */
  | "key_confined"
  /**
   * A role grants it only while a condition holds, and that condition does not: `by` names the rule, `needs` the
   * condition.
   */
  | "condition_unmet"
  /** No known role grants it, and one of the principal's roles is not a role of the policy. */
  | "unknown_role"
  /** No role grants it. */
  | "not_granted"
  /**
   * A role grants it, but a cap on the scope denies it: `by` names the cap, `needs` the condition that would lift it.
   */
  | "capped";

/** The answer of `authorize`. It is frozen, and the same object each time for the same rule. */
export type Verdict =
  /** Granted. `by` is the id of the rule, such as `org:owner/project.create` or `project:admin/key.revoke`. */
  | { readonly allowed: true; readonly by: string }
  | {
      readonly allowed: false;
      readonly reason: VerdictReason;
      /** The rule whose condition does not hold, or the cap: `project:admin/key.revoke`, `cap:freeze`. */
      readonly by?: string;
      /** The condition that is missing. More may be missing: ask again with it. */
      readonly needs?: string;
    };

/** One verdict for each reason that names no rule. They are made once, so that `authorize` allocates nothing. */
export const denied = {
  unknown_permission: deny("unknown_permission"),
  invalid_resource: deny("invalid_resource"),
  other_org: deny("other_org"),
  not_in_org: deny("not_in_org"),
  key_confined: deny("key_confined"),
  unknown_role: deny("unknown_role"),
  not_granted: deny("not_granted"),
} as const satisfies { readonly [Reason in Exclude<VerdictReason, "condition_unmet" | "capped">]: Verdict };

function deny(reason: VerdictReason): Verdict {
  return Object.freeze({ allowed: false, reason });
}
