/**
 * The counting itself, shared by every script: `Count` of admission/, in Lua.
 *
 * A count `c` is a table: what the plan of the call says about it (`rows.ts`), `state` and, once it was needed,
 * `older`. Its state is a string of little-endian doubles:
 *
 * ```
 * sliding    total, newest sub-bucket, amount in it, oldest sub-bucket. The sub-buckets before the newest are in
 *            `older`, oldest first: number modulo 256 (a byte), amount.
 * calendar   index, end and sum of the latest period, index and sum of the one before it that was charged last
 * lifetime   sum
 * in-flight  when each slot frees itself, ascending
 * ```
 *
 * A function takes a state and returns the next one. Nothing is written before all are worked out.
 */
export const COUNTING = `
local LIFETIME, IN_FLIGHT, CALENDAR, NONE = -1, -2, -3, -1

-- Sliding ---------------------------------------------------------------------------------------------------------

-- The number of the sub-bucket at a place of the older ones: it lies at most 60 before the newest.
local function bucketAt(entries, place, newest)
  return newest - (newest - byte(entries, place)) % 256
end

-- Forgets every sub-bucket before first. Returns total, amount in the newest and oldest.
local function drop(c, first, total, newest, recent)
  local entries, place = olderOf(c), 1
  while place <= #entries and bucketAt(entries, place, newest) < first do
    total = total - unpacked('<d', entries, place + 1)
    place = place + 9
  end
  if place > 1 then
    entries = sub(entries, place)
    c.older, c.turned = entries, true
  end
  if newest < first then total, recent = total - recent, 0 end
  return total, recent, #entries > 0 and bucketAt(entries, 1, newest) or newest
end

local function slidingAdd(c, amount)
  if not c.state and amount == 0 then return nil, 0 end
  local bucket = floor(now / c.kind)
  local total, newest, recent, oldest = 0, NONE, 0, NONE
  if c.state then
    total, newest, recent, oldest = unpacked('<dddd', c.state)
    local first = bucket - SUB_BUCKETS
    if oldest < first then total, recent, oldest = drop(c, first, total, newest, recent) end
  end
  if bucket == newest or amount == 0 then
    recent = recent + amount
  else
    if recent > 0 then
      c.older = olderOf(c) .. pack('<Bd', newest % 256, recent)
      c.turned = true
    elseif oldest == newest then
      oldest = bucket
    end
    newest, recent = bucket, amount
  end
  total = total + amount
  return pack('<dddd', total, newest, recent, oldest), total
end

-- A refund goes to the sub-bucket it was charged to while that lives. What a server has lost is not refunded below zero.
local function slidingRefund(c, amount, at)
  if not c.state then return nil, 0 end
  local total, newest, recent, oldest = unpacked('<dddd', c.state)
  local first, bucket = floor(now / c.kind) - SUB_BUCKETS, floor(at / c.kind)
  if oldest < first then total, recent, oldest = drop(c, first, total, newest, recent) end
  if amount > 0 and bucket >= first then
    if bucket == newest then
      local back = amount < recent and amount or recent
      recent, total = recent - back, total - back
    else
      local entries = olderOf(c)
      for place = 1, #entries, 9 do
        if bucketAt(entries, place, newest) == bucket then
          local was = unpacked('<d', entries, place + 1)
          local back = amount < was and amount or was
          local left = was > back and pack('<Bd', bucket % 256, was - back) or ''
          total = total - back
          entries = sub(entries, 1, place - 1) .. left .. sub(entries, place + 9)
          c.older, c.turned = entries, true
          oldest = #entries > 0 and bucketAt(entries, 1, newest) or newest
          break
        end
      end
    end
  end
  return pack('<dddd', total, newest, recent, oldest), total
end

-- Calendar --------------------------------------------------------------------------------------------------------

local function calendarCorrect(c, delta, isCharge)
  local index = numbers[c.period]
  local current, ends, used, previous, usedBefore = NONE, 0, 0, NONE, 0
  if c.state then current, ends, used, previous, usedBefore = unpacked('<ddddd', c.state) end
  if isCharge or delta > 0 then
    if index > current then
      previous, usedBefore, current, ends, used = current, used, index, numbers[c.period + 2], 0
    elseif index > previous and index < current then
      previous, usedBefore = index, 0
    end
  end
  if index == previous then
    usedBefore = math.max(0, usedBefore + delta)
  elseif index == current or isCharge then
    used = math.max(0, used + delta)
  end
  local counted = index == previous and usedBefore or (index == current or index < previous) and used or 0
  return pack('<ddddd', current, ends, used, previous, usedBefore), counted
end

-- Any count -------------------------------------------------------------------------------------------------------

-- Each returns the state after it, and what is used then.

local function lifetimeCorrect(c, delta)
  local used = math.max(0, (c.state and unpacked('<d', c.state) or 0) + delta)
  return pack('<d', used), used
end

local function charged(c, expiresAt)
  if c.kind > 0 then return slidingAdd(c, c.amount) end
  if c.kind == CALENDAR then return calendarCorrect(c, c.amount, true) end
  if c.kind == LIFETIME then return lifetimeCorrect(c, c.amount) end
  return correctSlots(c.state or '', c.amount, expiresAt, now)
end

-- Corrects what was charged at a moment by delta, up or down.
local function corrected(c, delta, at, expiresAt)
  if c.kind > 0 then
    if delta > 0 then return slidingAdd(c, delta) end
    return slidingRefund(c, -delta, at)
  end
  if c.kind == CALENDAR then return calendarCorrect(c, delta, false) end
  if c.kind == LIFETIME then return lifetimeCorrect(c, delta) end
  return correctSlots(c.state or '', delta, expiresAt, now)
end

-- Until then forgetting the count would change a later answer.
local function mattersUntil(c, expiresAt)
  if c.kind > 0 then return now + (SUB_BUCKETS + 1) * c.kind end
  -- In a zone further west, which the org may move to, the same date goes on; and a reservation may be extended while it lives.
  if c.kind == CALENDAR then return numbers[c.period + 2] + behind + math.max(ZONES_APART_MS, expiresAt - now) end
  return c.kind == LIFETIME and FOREVER or expiresAt
end
`;

/**
 * Readings, which most calls do not need. For each charge, `readings(reply)` appends to a reply
 *
 * ```
 * used
 * fitsAt    when the charge fits: 0 if it does now, -1 if it never will. For a calendar charge, in how many periods, by
 *           the difference of their indexes, since no zone is known here.
 * emptyAt   when the count is zero by itself: 0 if it is now, -1 if time alone does not do that
 * ```
 */
export const READINGS = `
local function slidingEmptyAt(c, state)
  local _, newest, recent = unpacked('<dddd', state)
  if recent == 0 then
    local entries = olderOf(c)
    if #entries > 0 then newest = bucketAt(entries, #entries - 8, newest) end
  end
  return (newest + SUB_BUCKETS + 1) * c.kind
end

local function readings(reply)
  local function sliding(c, amount, max)
    if not c.state then return 0, amount <= max and 0 or -1, 0 end
    local width = c.kind
    local total, newest, recent, oldest = unpacked('<dddd', c.state)
    local first, used, fits = floor(now / width) - SUB_BUCKETS, total, 0
    if oldest < first then used = drop(c, first, total, newest, recent) end
    if amount > max then
      fits = -1
    elseif used + amount > max then
      local left, entries = used, olderOf(c)
      fits = (newest + SUB_BUCKETS + 1) * width
      for place = 1, #entries, 9 do
        left = left - unpacked('<d', entries, place + 1)
        if left + amount <= max then
          fits = (bucketAt(entries, place, newest) + SUB_BUCKETS + 1) * width
          break
        end
      end
    end
    return used, fits, used == 0 and 0 or slidingEmptyAt(c, c.state)
  end

  local function calendar(c, amount, max)
    local _, used = calendarCorrect(c, 0, false)
    local ends = numbers[c.period + 2]
    if amount > max then return used, -1, ends end
    if used + amount <= max then return used, 0, ends end
    -- As periodWithRoom of calendar-count.ts.
    local index, current, _, usedNow, previous, usedBefore = numbers[c.period], unpacked('<ddddd', c.state)
    local next = math.max(index, previous) + 1
    if index < previous and usedBefore + amount <= max then next = previous
    elseif next == current and usedNow + amount > max then next = current + 1 end
    return used, next - index, ends
  end

  local function inFlight(c, amount, max)
    local slots = c.state or ''
    local free = freeBy(slots, now)
    local used = #slots / 8 - free
    if amount > max then return used, -1, -1 end
    local tooMany = used + amount - max
    return used, tooMany <= 0 and 0 or (unpacked('<d', slots, (free + tooMany - 1) * 8 + 1)), -1
  end

  for _, c in ipairs(counts) do
    local amount, max = c.amount, c.max
    if max < 0 then max = -1 - max end
    local used, fits, empty
    if c.kind > 0 then used, fits, empty = sliding(c, amount, max)
    elseif c.kind == CALENDAR then used, fits, empty = calendar(c, amount, max)
    elseif c.kind == IN_FLIGHT then used, fits, empty = inFlight(c, amount, max)
    else
      used = c.state and unpacked('<d', c.state) or 0
      fits, empty = used + amount <= max and 0 or -1, -1
    end
    local size = #reply
    reply[size + 1], reply[size + 2], reply[size + 3] = used, amount == 0 and 0 or fits, empty
  end
  return reply
end
`;
