import { COUNTING } from "./counting.js";

/**
 * Corrects an open reservation to what was really used, and closes it.
 *
 *   KEYS[1]    the reservation
 *   KEYS[2…]   the scopes
 *   ARGV[1]    numbers: [4] how long the closed reservation is remembered, [5] least TTL of a scope; and the amounts as
 *              charges, see counting.ts
 *   ARGV[2]    a text that no other settle has: sent twice by the client, it has the same answer
 *   ARGV[3]    digest of the limits
 *   ARGV[4]    JSON of the scopes, each its key and fields: where the reservation has another digest
 *   ARGV[5…]   field of each amount
 *
 * Replies `{0, used…}`, or `{4}` already settled, `{5}` expired, `{6}` unknown reservation.
 */
export const SETTLE = `${COUNTING}
local held = call('GET', KEYS[1])
if not held then return {UNKNOWN} end
local again = sub(held, 1, 1) == 's'
if again and sub(held, 2) ~= ARGV[2] then return {SETTLED_ALREADY} end
load(2, 5)

local reply = {RESERVED}
if again then
  each(function(s, f, o, state)
    local _, used = corrected(s, f, o, state, 0, now, now)
    reply[#reply + 1] = used
  end)
  return reply
end

local _, extensions, _, reservedAt, expiresAt, _, packed, digest = cmsgpack.unpack_limit(held, 7)
if expiresAt <= now then return {EXPIRED} end

-- What a part of the reservation charged, by the places of the amounts. Those of the same limits stand in the same order.
local function chargesOf(packed, digest, limits)
  local was, charges = cmsgpack.unpack(packed), {}
  local base = 7 + was[7]
  if digest == ARGV[3] then
    for place = 1, #ARGV - 4 do charges[place] = was[base + 3 * place] end
    return charges
  end
  local byName, place = {}, 0
  for _, scope in ipairs(cjson.decode(limits)) do
    for i = 4, #scope do
      place = place + 1
      byName[scope[1] .. '\\0' .. scope[i][1]] = was[base + 3 * place]
    end
  end
  place = 0
  for _, scope in ipairs(cjson.decode(ARGV[4])) do
    for i = 2, #scope do
      place = place + 1
      charges[place] = byName[scope[1] .. '\\0' .. scope[i]] or 0
    end
  end
  return charges
end

local first, parts, size = nil, {}, 1
if extensions == 0 and digest == ARGV[3] then
  first = chargesOf(packed, digest)
else
  local record = {cmsgpack.unpack(held)}
  first = chargesOf(record[6], record[7], record[8])
  for part = 9, #record, 5 do
    parts[#parts + 1] = {at = record[part], charges = chargesOf(record[part + 2], record[part + 3], record[part + 4])}
  end
end

each(function(s, f, o, state)
  local place, used = f - 4, 0
  local delta = numbers[o + 2] - first[place]
  for _, part in ipairs(parts) do delta = delta - part.charges[place] end
  -- What was charged last is given back first, so that each part keeps min(estimate, actual) of its own moment.
  for i = #parts, 1, -1 do
    if delta >= 0 then break end
    local back = math.max(delta, -parts[i].charges[place])
    state = corrected(s, f, o, state, back, parts[i].at, expiresAt)
    delta = delta - back
  end
  state, used = corrected(s, f, o, state, delta, reservedAt, expiresAt)
  keep(s, f, o, state, expiresAt)
  size = size + 1
  reply[size] = used
end)
call('SET', KEYS[1], 's' .. ARGV[2], 'PX', numbers[4])
write(numbers[5])
return reply
`;
