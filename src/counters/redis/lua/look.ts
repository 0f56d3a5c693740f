import { HEAD } from "./head.js";
import { RECORD } from "./record.js";

/**
 * Returns the record of one reservation, for a replay.
 *
 * ```
 * KEYS[1]   the reservation
 * ARGV[1]   the caller's clock in epoch milliseconds, or -1 for the server's own
 * ```
 *
 * Replies `{status}`: 4 already settled, 5 expired, 6 unknown reservation; or `{0, record}`. The record is when the
 * reservation ends by itself, on the counters' clock, and for each part of it: when it was made, on the same clock;
 * label; numbers; tags. See record.ts.
 */
export const LOOK = `${HEAD}${RECORD}
local held = call('GET', KEYS[1])
if not held then return {UNKNOWN} end
if sub(held, 1, 1) == 's' then return {SETTLED_ALREADY} end
local now = tonumber(ARGV[1])
if now < 0 then now = serverNow() end
local record = recordOf(held)
if record.expiresAt <= now then return {EXPIRED} end
return {RESERVED, toldOf(record)}
`;
