import { COUNTING, READINGS } from "./counting.js";
import { HEAD } from "./head.js";
import { ROWS } from "./rows.js";

/**
 * Reads counts and changes nothing.
 *
 * ```
 * KEYS      the scopes
 * ARGV[1]   the caller's clock in epoch milliseconds, or -1 for the server's own
 * ARGV[2]   numbers, see rows.ts; the first three are unused
 * ARGV[3]   unused
 * ARGV[4]   plan, see rows.ts
 * ```
 *
 * Replies `{now, server's time, …}` and for each charge used, fitsAt and emptyAt.
 */
export const READ = `${HEAD}
local olderOf
local numbers, raw = cjson.decode(ARGV[2]), tonumber(ARGV[1])
if raw < 0 then raw = serverNow() end
-- Never before the clock of what is touched.
local now = raw
${COUNTING}${ROWS}${READINGS}
load(1)
return readings({now, raw})
`;
