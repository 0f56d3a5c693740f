import { COUNTING, READINGS } from "./counting.js";
import { HEAD } from "./head.js";
import { KEEP_PLAN } from "./plans.js";
import { RECORD } from "./record.js";
import { ROWS } from "./rows.js";
import { WRITING } from "./writing.js";

/**
 * Checks every charge, then makes all of them or none.
 *
 * ```
 * KEYS[1]   the reservation
 * KEYS[2]   the idempotency record, only if there is a fingerprint
 * KEYS[…]   the scopes, and last the plan
 * ARGV[1]   empty if the clock is the server's and nothing else is special; else a JSON array: the caller's clock in
 *           epoch milliseconds or -1, least TTL of a scope, 1 to extend, 2 for a dry run, 3 for both, 0 for neither
 * ARGV[2]   numbers, see rows.ts: TTL of the reservation, TTL of its record, the caller's now
 * ARGV[3]   tags of the rows, with whatever else decides what the numbers mean
 * ARGV[4]   plan, see rows.ts, which is kept if something is reserved; empty if it most likely is kept already
 * ARGV[5]   id of the reservation; for an extension a text that no other one has
 * ARGV[6]   fingerprint of the request, or empty
 * ARGV[7]   a reservation that is known to be closed and so no obstacle any more, or empty
 *           (the last three only if ARGV[1] is not empty)
 * ```
 *
 * Replies `{status, …}`:
 *
 * ```
 * 0 reserved     now, server's time, used of each charge, emptyAt of each sliding charge of nothing
 * 2 … in shadow  the same, then the readings from before
 * 1 refused, 7 would be reserved
 *                now, server's time, then the readings: used, fitsAt, emptyAt of each charge. An extension that is (or
 *                would be) reserved has the record of the reservation at the end, see look.ts
 * 3 look         id of the open reservation that is the answer, or empty for this one
 * 4 already settled, 5 expired, 6 unknown reservation
 * 8 unplanned    the plan is needed and not kept
 * above 8        reserved; the status is now and the server's time, and used of each charge follows
 * ```
 *
 * @param shortWay the script that answers most calls and leaves the others to what follows, or empty; see straight.ts
 */
export function reserveScript(shortWay: string): string {
  return `${HEAD}
local clock, leastMs, mode, id, fingerprint, closed = -1, 0, 0, '', '', ''
if ARGV[1] ~= '' then
  clock, leastMs, mode = unpack(cjson.decode(ARGV[1]))
  id, fingerprint, closed = ARGV[5], ARGV[6], ARGV[7]
end
local firstKey = 2
if fingerprint ~= '' then
  local known = call('GET', KEYS[2])
  if known and known ~= closed then return {LOOK, known} end
  firstKey = 3
end
local numbers, raw = cjson.decode(ARGV[2]), clock
if raw < 0 then raw = serverNow() end
-- How far the caller's clock is behind: its periods end so much later by this one.
local behind = math.max(0, raw - numbers[3])
-- Never before the clock of what is touched.
local now = raw
${shortWay}
local olderOf
${COUNTING}${ROWS}${WRITING}${READINGS}${RECORD}
if not load(firstKey) then return {UNPLANNED} end
local dryRun, extend = mode >= 2, mode % 2 == 1
local record, expiresAt, held = nil, now + numbers[1], nil
if extend then
  held = call('GET', KEYS[1])
  if not held then return {UNKNOWN} end
  if sub(held, 1, 1) == 's' then return {SETTLED_ALREADY} end
  record = recordOf(held)
  expiresAt = record.expiresAt
  if expiresAt <= now then return {EXPIRED} end
  for part = 2, #record do
    if record[part].label == id then return {LOOK, ''} end
  end
  held = held .. partOf(now, id)
  record = recordOf(held)
end

local function told(reply)
  if record then reply[#reply + 1] = toldOf(record) end
  return reply
end

local reply, empties, short, shadowed = {RESERVED, now, raw}, {}, false, false
for i, c in ipairs(counts) do
  local used
  c.after, used = charged(c, expiresAt)
  if c.amount > 0 then
    if c.max >= 0 then short = short or used > c.max else shadowed = shadowed or used > -1 - c.max end
  elseif c.kind > 0 then
    empties[#empties + 1] = used == 0 and 0 or slidingEmptyAt(c, c.after)
  end
  c.olderAfter, c.hasTurned = c.older, c.turned
  reply[3 + i] = used
end

local before
if short or shadowed or dryRun then
  -- From the counts as they are.
  for _, c in ipairs(counts) do c.older, c.turned = c.olderRead, nil end
  if (short or dryRun) and not extend and call('EXISTS', KEYS[1]) == 1 then return {LOOK, ''} end
  if short then return readings({REFUSED, now, raw}) end
  if dryRun then return told(readings({FORESEEN, now, raw})) end
  before = readings({})
  for _, c in ipairs(counts) do c.older, c.turned = c.olderAfter or c.older, c.hasTurned end
end

${KEEP_PLAN}
if extend then
  call('SET', KEYS[1], held, 'KEEPTTL')
else
  -- Sent twice by the client, after a reply that was lost: it is reserved already.
  local made = 'o' .. pack('<d', expiresAt) .. partOf(now, fingerprint)
  if not call('SET', KEYS[1], made, 'PX', numbers[2], 'NX') then return {LOOK, ''} end
  if fingerprint ~= '' then call('SET', KEYS[2], id, 'PX', math.max(numbers[1], leastMs)) end
end
write(expiresAt, leastMs)

for _, empty in ipairs(empties) do reply[#reply + 1] = empty end
if before then
  reply[1] = RESERVED_IN_SHADOW
  for _, reading in ipairs(before) do reply[#reply + 1] = reading end
end
return told(reply)
`;
}
