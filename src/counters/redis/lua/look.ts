import { HEAD } from "./head.js";
import { RECORD } from "./record.js";

/**
 * The record of one reservation, for a replay.
 *
 *   KEYS[1]   the reservation
 *   KEYS[…]   for each row of the call that asks, its scope
 *   ARGV[1]   the caller's clock in epoch milliseconds, or -1 for the server's own
 *   ARGV[…]   the field of each of these rows; the clock is never before theirs
 *
 * Replies `{status}`: 4 already settled, 5 expired, 6 unknown reservation; or `{0, record}`, which is when it ends by itself, on
 * the counters' clock, and for each part of it: when it was made, on the same; label; numbers; tags. See record.ts.
 */
export const LOOK = `${HEAD}${RECORD}
local held = call('GET', KEYS[1])
if not held then return {UNKNOWN} end
if sub(held, 1, 1) == 's' then return {SETTLED_ALREADY} end
local now = tonumber(ARGV[1])
if now < 0 then now = serverNow() end
for i = 2, #KEYS do
  local row = call('HGET', KEYS[i], ARGV[i])
  if row then now = math.max(now, (unpacked('<d', row))) end
end
local record = recordOf(held)
if record.expiresAt <= now then return {EXPIRED} end
return {RESERVED, toldOf(record)}
`;
