/**
 * The counting itself, shared by every script: `Count` of admission/, in Lua.
 *
 * `ARGV[1]` is a msgpack array of numbers: `[1]` the caller's clock in epoch milliseconds or -1 for the server's own, `[2]`
 * to `[6]` as each script says, `[7]` how many scopes there are; the number of charges of each scope; for each charge kind,
 * max (`-1 - max` in shadow mode) and amount; for each calendar period index, start and end. A kind is the width of a
 * sliding window's sub-buckets in milliseconds, -1 for lifetime, -2 for in-flight, else minus the place of the period.
 *
 * A scope is one hash. `@` holds its clock and when it may be forgotten; every other field is a count, named as the limit
 * names it, of little-endian doubles:
 *
 *   sliding    total, newest sub-bucket, amount in it, oldest sub-bucket. The sub-buckets before the newest are in the field
 *              named `~` and the count, oldest first: number modulo 256 (a byte), amount. It is read and written only when
 *              a sub-bucket ends or an older one is refunded.
 *   calendar   index, end and sum of the current period, index and sum of the one before it
 *   lifetime   sum
 *   in-flight  when each slot is free again by itself, ascending
 *
 * A function takes the state of a count and returns the one that follows; nothing is written before all are worked out. A
 * charge is known by `s`, the place of its scope in KEYS, `f`, that of its field in ARGV, and `o`, that of its kind in the
 * numbers.
 */
export const COUNTING = `
local call, floor, pack, unpacked, sub = redis.call, math.floor, struct.pack, struct.unpack, string.sub
local LIFETIME, IN_FLIGHT = -1, -2
local SUB_BUCKETS, NONE, FOREVER = 60, -1, 1e18
local ZONES_APART_MS, EXPIRE_AGAIN_MS = 93600000, 60000
local RESERVED, REFUSED, RESERVED_IN_SHADOW, LOOK, SETTLED_ALREADY, EXPIRED, UNKNOWN, FORESEEN = 0, 1, 2, 3, 4, 5, 6, 7

local numbers = cmsgpack.unpack(ARGV[1])
local raw = numbers[1]
if raw < 0 then
  local time = call('TIME')
  raw = time[1] * 1000 + floor(time[2] / 1000)
end
-- Never before the clock of a scope that is touched.
local now = raw

local firstScope, firstField
local values, writes, sizes, deadlines, expiries = {}, {}, {}, {}, {}

-- Reads every count of the request: one HMGET for each scope.
local function load(scope, field)
  firstScope, firstField = scope, field
  local place = 8
  for s = scope, #KEYS do
    local following = field + numbers[place]
    local read = call('HMGET', KEYS[s], '@', unpack(ARGV, field, following - 1))
    local deadline = 0
    if read[1] then
      local clock
      clock, deadline = unpacked('<dd', read[1])
      if clock > now then now = clock end
    end
    values[s], deadlines[s], expiries[s] = read, deadline, deadline
    place, field = place + 1, following
  end
end

-- Visits every charge with s, f, o and the state of its count.
local function each(visit)
  local f, o = firstField, 8 + numbers[7]
  for s = firstScope, #KEYS do
    local read = values[s]
    for j = 2, 1 + numbers[8 + s - firstScope] do
      visit(s, f, o, read[j])
      f, o = f + 1, o + 3
    end
  end
end

-- Sliding ---------------------------------------------------------------------------------------------------------

-- The older sub-buckets of the counts that needed them, by field; and which of them are to be written.
local older, turned = {}, {}

-- INVARIANT: there are none exactly where the oldest sub-bucket is the newest.
local function olderOf(s, f, newest, oldest)
  local entries = older[f]
  if not entries then
    entries = oldest ~= newest and call('HGET', KEYS[s], '~' .. ARGV[f]) or ''
    older[f] = entries
  end
  return entries
end

-- The number of the sub-bucket at a place of the older ones: it lies at most 60 before the newest.
local function bucketAt(entries, place, newest)
  return newest - (newest - string.byte(entries, place)) % 256
end

-- Forgets every sub-bucket before first. Returns total, amount in the newest and oldest.
local function drop(s, f, first, total, newest, recent, oldest)
  local entries, place = olderOf(s, f, newest, oldest), 1
  while place <= #entries and bucketAt(entries, place, newest) < first do
    total = total - unpacked('<d', entries, place + 1)
    place = place + 9
  end
  if place > 1 then
    entries = sub(entries, place)
    older[f], turned[f] = entries, true
  end
  if newest < first then total, recent = total - recent, 0 end
  return total, recent, #entries > 0 and bucketAt(entries, 1, newest) or newest
end

local function slidingAdd(s, f, width, state, amount)
  if not state and amount == 0 then return nil, 0 end
  local bucket = floor(now / width)
  local total, newest, recent, oldest = 0, NONE, 0, NONE
  if state then
    total, newest, recent, oldest = unpacked('<dddd', state)
    local first = bucket - SUB_BUCKETS
    if oldest < first then total, recent, oldest = drop(s, f, first, total, newest, recent, oldest) end
  end
  if bucket == newest or amount == 0 then
    recent = recent + amount
  else
    if recent > 0 then
      older[f] = olderOf(s, f, newest, oldest) .. pack('<Bd', newest % 256, recent)
      turned[f] = true
    elseif oldest == newest then
      oldest = bucket
    end
    newest, recent = bucket, amount
  end
  total = total + amount
  return pack('<dddd', total, newest, recent, oldest), total
end

-- A refund goes to the sub-bucket it was charged to while that lives. What a server has lost is not refunded below zero.
local function slidingRefund(s, f, width, state, amount, at)
  if not state then return nil, 0 end
  local total, newest, recent, oldest = unpacked('<dddd', state)
  local first, bucket = floor(now / width) - SUB_BUCKETS, floor(at / width)
  if oldest < first then total, recent, oldest = drop(s, f, first, total, newest, recent, oldest) end
  if amount > 0 and bucket >= first then
    if bucket == newest then
      local back = amount < recent and amount or recent
      recent, total = recent - back, total - back
    else
      local entries = olderOf(s, f, newest, oldest)
      -- Where every sub-bucket is there, it is found at the first look.
      for place = math.max(1, #entries + 1 - 9 * (newest - bucket)), #entries, 9 do
        if bucketAt(entries, place, newest) == bucket then
          local was = unpacked('<d', entries, place + 1)
          local back = amount < was and amount or was
          local left = was > back and pack('<Bd', bucket % 256, was - back) or ''
          total = total - back
          entries = sub(entries, 1, place - 1) .. left .. sub(entries, place + 9)
          older[f], turned[f] = entries, true
          oldest = #entries > 0 and bucketAt(entries, 1, newest) or newest
          break
        end
      end
    end
  end
  return pack('<dddd', total, newest, recent, oldest), total
end

-- Calendar --------------------------------------------------------------------------------------------------------

local function calendarCorrect(state, place, delta, isCharge)
  local index = numbers[place]
  local current, ends, used, previous, usedBefore = NONE, 0, 0, NONE, 0
  if state then current, ends, used, previous, usedBefore = unpacked('<ddddd', state) end
  if index > current and (isCharge or delta > 0) then
    previous, usedBefore, current, ends, used = current, used, index, numbers[place + 2], 0
  end
  if index == previous then
    usedBefore = math.max(0, usedBefore + delta)
  elseif index == current or isCharge then
    used = math.max(0, used + delta)
  end
  local counted = index == previous and usedBefore or index > current and 0 or used
  return pack('<ddddd', current, ends, used, previous, usedBefore), counted
end

-- In-flight -------------------------------------------------------------------------------------------------------

-- How many slots are free by a moment, by bisection.
local function freeBy(slots, moment)
  local low, high = 0, #slots / 8
  while low < high do
    local middle = floor((low + high) / 2)
    if unpacked('<d', slots, middle * 8 + 1) <= moment then low = middle + 1 else high = middle end
  end
  return low
end

local function inFlightCorrect(state, delta, expiresAt)
  local slots = state or ''
  if delta > 0 then
    slots = sub(slots, freeBy(slots, now) * 8 + 1)
    local place = freeBy(slots, expiresAt) * 8
    slots = sub(slots, 1, place) .. string.rep(pack('<d', expiresAt), delta) .. sub(slots, place + 1)
  elseif delta < 0 then
    local first = freeBy(slots, expiresAt - 1)
    local back = math.min(-delta, freeBy(slots, expiresAt) - first)
    slots = sub(slots, 1, first * 8) .. sub(slots, (first + back) * 8 + 1)
  end
  return slots, #slots / 8 - freeBy(slots, now)
end

-- Any count -------------------------------------------------------------------------------------------------------

-- Each returns the state after it, and what is used then.

local function lifetimeCorrect(state, delta)
  local used = math.max(0, (state and unpacked('<d', state) or 0) + delta)
  return pack('<d', used), used
end

local function charged(s, f, o, state, amount, expiresAt)
  local kind = numbers[o]
  if kind > 0 then return slidingAdd(s, f, kind, state, amount) end
  if kind < IN_FLIGHT then return calendarCorrect(state, -kind, amount, true) end
  if kind == LIFETIME then return lifetimeCorrect(state, amount) end
  return inFlightCorrect(state, amount, expiresAt)
end

-- Corrects what was charged at a moment by delta, up or down.
local function corrected(s, f, o, state, delta, at, expiresAt)
  local kind = numbers[o]
  if kind > 0 then
    if delta > 0 then return slidingAdd(s, f, kind, state, delta) end
    return slidingRefund(s, f, kind, state, -delta, at)
  end
  if kind < IN_FLIGHT then return calendarCorrect(state, -kind, delta, false) end
  if kind == LIFETIME then return lifetimeCorrect(state, delta) end
  return inFlightCorrect(state, delta, expiresAt)
end

-- Notes a state to be written.
local function keep(s, f, o, state, expiresAt)
  if not state then return end
  local write, size = writes[s], sizes[s]
  if not write then
    write, size = {'@', false, false, false, false, false, false, false}, 2
    writes[s] = write
  end
  write[size + 1], write[size + 2] = ARGV[f], state
  size = size + 2
  if turned[f] then
    write[size + 1], write[size + 2] = '~' .. ARGV[f], older[f]
    size = size + 2
  end
  sizes[s] = size

  -- Until then forgetting the count would change a later answer.
  local kind, matters = numbers[o], expiresAt
  if kind > 0 then matters = now + (SUB_BUCKETS + 1) * kind
  -- In a zone further west, which the org may move to, the same date goes on.
  elseif kind < IN_FLIGHT then matters = numbers[2 - kind] + ZONES_APART_MS
  elseif kind == LIFETIME then matters = FOREVER end
  if matters > expiries[s] then expiries[s] = matters end
end

-- Writes every state: one HSET for each scope. Its expiry moves on once a minute at most.
local function write(leastMs)
  for s = firstScope, #KEYS do
    local written = writes[s]
    if written then
      local scope, deadline, expiry = KEYS[s], deadlines[s], expiries[s]
      if expiry > deadline and expiry < FOREVER then expiry = expiry + EXPIRE_AGAIN_MS end
      written[2] = pack('<dd', now, expiry)
      call('HSET', scope, unpack(written, 1, sizes[s]))
      if expiry > deadline then
        if expiry < FOREVER then call('PEXPIRE', scope, math.ceil(math.max(expiry - now, leastMs)))
        else call('PERSIST', scope) end
      end
    end
  end
end
`;

/**
 * Readings, which most calls do not need. `readings(reply)` appends to a reply for each charge
 *
 *   used
 *   fitsAt    when the charge fits: 0 where it does now, -1 where it never will
 *   emptyAt   when the count is zero by itself: 0 where it is now, -1 where time does not do that
 */
export const READINGS = `
local function slidingEmptyAt(s, f, width, state)
  local _, newest, recent, oldest = unpacked('<dddd', state)
  if recent == 0 then
    local entries = olderOf(s, f, newest, oldest)
    if #entries > 0 then newest = bucketAt(entries, #entries - 8, newest) end
  end
  return (newest + SUB_BUCKETS + 1) * width
end

local function readings(reply)
  local function sliding(s, f, width, state, amount, max)
    if not state then return 0, amount <= max and 0 or -1, 0 end
    local total, newest, recent, oldest = unpacked('<dddd', state)
    local first, used, fits = floor(now / width) - SUB_BUCKETS, total, 0
    if oldest < first then used = drop(s, f, first, total, newest, recent, oldest) end
    if amount > max then
      fits = -1
    elseif used + amount > max then
      local left, entries = used, olderOf(s, f, newest, oldest)
      fits = (newest + SUB_BUCKETS + 1) * width
      for place = 1, #entries, 9 do
        left = left - unpacked('<d', entries, place + 1)
        if left + amount <= max then
          fits = (bucketAt(entries, place, newest) + SUB_BUCKETS + 1) * width
          break
        end
      end
    end
    return used, fits, used == 0 and 0 or slidingEmptyAt(s, f, width, state)
  end

  local function calendar(place, state, amount, max)
    local _, used = calendarCorrect(state, place, 0, false)
    local ends = numbers[place + 2]
    if amount > max then return used, -1, ends end
    return used, used + amount <= max and 0 or ends, ends
  end

  local function inFlight(state, amount, max)
    local slots = state or ''
    local free = freeBy(slots, now)
    local used = #slots / 8 - free
    if amount > max then return used, -1, -1 end
    local tooMany = used + amount - max
    return used, tooMany <= 0 and 0 or (unpacked('<d', slots, (free + tooMany - 1) * 8 + 1)), -1
  end

  each(function(s, f, o, state)
    local kind, max, amount = numbers[o], numbers[o + 1], numbers[o + 2]
    if max < 0 then max = -1 - max end
    local used, fits, empty
    if kind > 0 then used, fits, empty = sliding(s, f, kind, state, amount, max)
    elseif kind < IN_FLIGHT then used, fits, empty = calendar(-kind, state, amount, max)
    elseif kind == IN_FLIGHT then used, fits, empty = inFlight(state, amount, max)
    else
      used = state and unpacked('<d', state) or 0
      fits, empty = used + amount <= max and 0 or -1, -1
    end
    local size = #reply
    reply[size + 1], reply[size + 2], reply[size + 3] = used, amount == 0 and 0 or fits, empty
  end)
  return reply
end
`;
