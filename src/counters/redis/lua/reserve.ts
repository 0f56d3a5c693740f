import { COUNTING, READINGS } from "./counting.js";

/**
 * Checks every charge, then makes them all, or none.
 *
 *   KEYS[1]       the reservation
 *   KEYS[2]       the idempotency record, only where ARGV[3] is not empty
 *   KEYS[…]       the scopes
 *   ARGV[1]       numbers: [2] the caller's now, [3] TTL of the reservation, [4] TTL of its record, [5] least TTL of a
 *                 scope, [6] 1 to extend, 2 for a dry run, 3 for both, 0 for neither; and the charges, see counting.ts
 *   ARGV[2]       id of the reservation; for an extension a text that no other one has
 *   ARGV[3]       fingerprint of the request, or empty
 *   ARGV[4]       a reservation that is known to be closed and no obstacle any more, or empty
 *   ARGV[5]       digest of the limits, kept for the settle
 *   ARGV[6]       the limits, kept for a replay
 *   ARGV[7…]      field of each charge
 *
 * Replies `{status, …}`:
 *
 *   0 reserved     now, server's time, used of each charge, emptyAt of each sliding charge of nothing
 *   2 … in shadow  the same, then the readings from before
 *   1 refused, 7 would be reserved
 *                  now, server's time, then the readings: used, fitsAt, emptyAt of each charge
 *                  An extension that is (or would be) reserved has the record of the reservation at the end, see look.ts
 *   3 look         id of the open reservation that is the answer, or empty for this one
 *   4 already settled, 5 expired, 6 unknown reservation
 */
export const RESERVE = `${COUNTING}${READINGS}
local idempotent, dryRun, extend = ARGV[3] ~= '', numbers[6] >= 2, numbers[6] % 2 == 1
if idempotent then
  local id = call('GET', KEYS[2])
  if id and id ~= ARGV[4] then return {LOOK, id} end
end
load(idempotent and 3 or 2, 7)

local record
local expiresAt = now + numbers[3]
if extend then
  local held = call('GET', KEYS[1])
  if not held then return {UNKNOWN} end
  if sub(held, 1, 1) == 's' then return {SETTLED_ALREADY} end
  record = {cmsgpack.unpack(held)}
  expiresAt = record[4]
  if expiresAt <= now then return {EXPIRED} end
  for part = 9, #record, 5 do
    if record[part + 1] == ARGV[2] then return {LOOK, ''} end
  end
  local part = {now, ARGV[2], ARGV[1], ARGV[5], ARGV[6]}
  for place = 1, 5 do record[#record + 1] = part[place] end
  record[1] = record[1] + 1
end

local function told(reply)
  if not record then return reply end
  for part = 6, #record, 5 do record[part] = cmsgpack.unpack(record[part]) end
  reply[#reply + 1] = record
  return reply
end

local reply, empties, size, short, shadowed = {RESERVED, now, raw}, {}, 3, false, false
each(function(s, f, o, state)
  local amount, max = numbers[o + 2], numbers[o + 1]
  local state, used = charged(s, f, o, state, amount, expiresAt)
  if amount > 0 then
    if max >= 0 then short = short or used > max else shadowed = shadowed or used > -1 - max end
  elseif numbers[o] > 0 then
    empties[#empties + 1] = used == 0 and 0 or slidingEmptyAt(s, f, numbers[o], state)
  end
  keep(s, f, o, state, expiresAt)
  size = size + 1
  reply[size] = used
end)

local before
if short or shadowed or dryRun then
  -- From the counts as they are.
  older, turned = {}, {}
  if short then
    if not extend and call('EXISTS', KEYS[1]) == 1 then return {LOOK, ''} end
    return readings({REFUSED, now, raw})
  end
  if dryRun then return told(readings({FORESEEN, now, raw})) end
  before = readings({})
end

if extend then
  call('SET', KEYS[1], cmsgpack.pack(unpack(record)), 'KEEPTTL')
else
  local reservedAt = numbers[1] < 0 and numbers[2] or now
  local kept = cmsgpack.pack(0, ARGV[3], now, expiresAt, reservedAt, ARGV[1], ARGV[5], ARGV[6])
  -- Sent twice by the client, after a reply that was lost: it is reserved already.
  if not call('SET', KEYS[1], kept, 'PX', numbers[4], 'NX') then return {LOOK, ''} end
  if idempotent then call('SET', KEYS[2], ARGV[2], 'PX', math.max(numbers[3], numbers[5])) end
end
write(numbers[5])

for i = 1, #empties do reply[size + i] = empties[i] end
if before then
  reply[1] = RESERVED_IN_SHADOW
  for i = 1, #before do reply[#reply + 1] = before[i] end
end
return told(reply)
`;
