import type { RefusalReason } from "../admission/reasons.js";

/** The status code of each refusal. Neither an outage nor money is ever a 429, since clients retry a 429. */
export const STATUS: Readonly<Record<RefusalReason, number>> = {
  invalid_key: 401,
  key_revoked: 401,
  key_disabled: 401,
  key_expired: 401,
  org_inactive: 403,
  project_inactive: 403,
  holder_removed: 403,
  model_not_allowed: 403,
  mcp_server_not_allowed: 403,
  model_unpriced: 403,
  too_large: 429,
  rate_limited: 429,
  in_flight_limited: 429,
  budget_exceeded: 402,
  credits_exhausted: 402,
  counters_unavailable: 503,
  queue_full: 429,
  queue_timeout: 429,
};
