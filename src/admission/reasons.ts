/**
 * Every reason for which a call can be refused, in the order of the checks: the first check that fails answers. The
 * last two come from a queue in front of the gate.
 */
export const REFUSAL_REASONS = [
  "invalid_key",
  "key_revoked",
  "key_disabled",
  "key_expired",
  "org_inactive",
  "project_inactive",
  "holder_removed",
  "model_not_allowed",
  "mcp_server_not_allowed",
  "model_unpriced",
  "too_large",
  "rate_limited",
  "in_flight_limited",
  "budget_exceeded",
  "credits_exhausted",
  "counters_unavailable",
  "queue_full",
  "queue_timeout",
] as const;

/** Why a call was refused. Stable and safe to branch on. See {@link REFUSAL_REASONS}. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** The reasons that concern the key and where it belongs rather than a single call. */
export type KeyRefusalReason = Extract<
  RefusalReason,
  | "invalid_key"
  | "key_revoked"
  | "key_disabled"
  | "key_expired"
  | "org_inactive"
  | "project_inactive"
  | "holder_removed"
>;

/** The message for each reason that names no limit. It contains no id of an org, project or user. */
export const MESSAGES: Readonly<Record<Exclude<RefusalReason, LimitReason>, string>> = {
  invalid_key: "The API key is not valid.",
  key_revoked: "The API key was revoked.",
  key_disabled: "The API key is disabled.",
  key_expired: "The API key has expired.",
  org_inactive: "The organization is suspended.",
  project_inactive: "The project is archived.",
  holder_removed: "The holder of the API key is no longer a member of its project.",
  model_not_allowed: "The API key may not call this model.",
  mcp_server_not_allowed: "The API key may not call this MCP server.",
  model_unpriced: "A budget applies and the price of this model is not known.",
  counters_unavailable: "Usage cannot be counted at the moment.",
  queue_full: "Too many calls are waiting.",
  queue_timeout: "There was no room for the call in the time that it may wait.",
};

/** The reasons that name a limit. */
export type LimitReason = Extract<
  RefusalReason,
  "too_large" | "rate_limited" | "in_flight_limited" | "budget_exceeded" | "credits_exhausted"
>;
