/**
 * How much longer, in milliseconds, a plan is kept than the records that need it. For that long, less some time for a
 * call to arrive, calls of the same limits need not send it again.
 */
export const PLAN_EXTRA_MS = 3_600_000;

/**
 * Keeps the plan that a reserve has sent, for calls that only have the tags of a record. It never shortens the time: a
 * process whose reservations live longer relies on it.
 */
export const KEEP_PLAN = `
if ARGV[4] ~= '' then
  local ms = numbers[2] + ${PLAN_EXTRA_MS}
  if call('PTTL', KEYS[#KEYS]) < ms then call('SET', KEYS[#KEYS], ARGV[4], 'PX', ms) end
end
`;

/** The plans that KEYS name, and nothing for one that is not kept. */
export const PLANS = "return redis.call('MGET', unpack(KEYS))";
