/**
 * How long a plan is kept above the records that need it, in milliseconds: so long, less some time for a call to
 * arrive, calls of the same limits need not bring it again.
 */
export const PLAN_EXTRA_MS = 3_600_000;

/**
 * Keeps the plan that a reserve has brought, for whoever has only the tags of a record. Never for a shorter time than
 * before: a process whose reservations live longer relies on it.
 */
export const KEEP_PLAN = `
if ARGV[4] ~= '' then
  local ms = numbers[2] + ${PLAN_EXTRA_MS}
  if call('PTTL', KEYS[#KEYS]) < ms then call('SET', KEYS[#KEYS], ARGV[4], 'PX', ms) end
end
`;

/** The plans that KEYS name, nothing for one that is not kept. */
export const PLANS = "return redis.call('MGET', unpack(KEYS))";
