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
  /** No known role granted it, and a role that was looked at is not one of the policy's. */
  | "unknown_role"
  /** No role grants it. */
  | "not_granted";

/** The answer of `authorize`: a frozen value, the same object for the same rule. */
export type Verdict =
  /** `by` is the id of the rule that granted it, such as `org:owner/project.create` or `project:admin/key.revoke`. */
  | { readonly allowed: true; readonly by: string }
  | { readonly allowed: false; readonly reason: VerdictReason; readonly by?: string };

/** One verdict for each reason, made once: `authorize` allocates nothing. */
export const denied = {
  unknown_permission: deny("unknown_permission"),
  invalid_resource: deny("invalid_resource"),
  other_org: deny("other_org"),
  not_in_org: deny("not_in_org"),
  key_confined: deny("key_confined"),
  unknown_role: deny("unknown_role"),
  not_granted: deny("not_granted"),
} as const satisfies Record<VerdictReason, Verdict>;

function deny(reason: VerdictReason): Verdict {
  return Object.freeze({ allowed: false, reason });
}
