/**
 * The record of one reservation, for a replay.
 *
 *   KEYS[1]   the reservation
 *   ARGV[1]   the caller's clock in epoch milliseconds, or -1 for the server's own
 *
 * Replies `{status}`: 4 already settled, 5 expired, 6 unknown reservation; or `{0, record}`, which is
 *
 *   [1]  how often it was extended    [2]  fingerprint of the request, or empty
 *   [3]  when it was reserved, on the counters' clock    [4]  when it ends by itself, on the same
 *   [5]  when it was reserved, as the caller was told
 *   [6]  numbers, see counting.ts    [7]  digest of the limits    [8]  the limits
 *
 * and for each extension: when it was made, its id, numbers, digest, limits.
 */
export const LOOK = `
local held = redis.call('GET', KEYS[1])
if not held then return {6} end
if string.sub(held, 1, 1) == 's' then return {4} end
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local record = {cmsgpack.unpack(held)}
if record[4] <= now then return {5} end
for part = 6, #record, 5 do record[part] = cmsgpack.unpack(record[part]) end
return {0, record}
`;
