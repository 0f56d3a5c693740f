/** Why a request was denied. Checks are made in this order and the first that fails answers. */
export type VerdictReason =
  /** The policy has no such permission. */
  | "unknown_permission"
  /** The resource lacks an id that the permission takes. */
  | "invalid_resource"
  /** The resource is in an org that is not the principal's. */
  | "other_org"
  /** The principal has no org role. */
  | "not_in_org"
  /** A key asked for something outside its project. */
  | "key_confined"
  /** A role grants it while a condition holds that does not: `by` names the rule, `needs` the condition. */
  | "condition_unmet"
  /** No known role granted it, and a role that was looked at is not one of the policy's. */
  | "unknown_role"
  /** No role grants it. */
  | "not_granted"
  /** A role grants it, and a cap on the scope forbids it: `by` names the cap, `needs` the condition that would lift it. */
  | "capped";

/** The answer of `authorize`: a frozen value, the same object for the same rule. */
export type Verdict =
  /** `by` is the id of the rule that granted it, such as `org:owner/project.create` or `project:admin/key.revoke`. */
  | { readonly allowed: true; readonly by: string }
  | {
      readonly allowed: false;
      readonly reason: VerdictReason;
      /** The rule that is short of a condition, or the cap: `project:admin/key.revoke`, `cap:freeze`. */
      readonly by?: string;
      /** The condition that is missing. Other things may be, too: ask again with it. */
      readonly needs?: string;
    };

/** One verdict for each reason that names no rule, made once: `authorize` allocates nothing. */
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
