import { ZONES_APART_MS } from "../../../admission/calendar-count.js";
import { SUB_BUCKETS } from "../../../admission/sliding-count.js";
import { STATUS } from "../../wire/reply.js";

/** Ends a script before it writes: what is stored was written by a version that stores it in another form. */
export function failOtherForm(what: string): string {
  return `error('another version of tollgate stores ${what} in another form: let every process run the later version', 0)`;
}

/** The head of every script: names, the clock, expiry, and in-flight slots. */
export const HEAD = `
local call, floor, pack, unpacked, sub, byte = redis.call, math.floor, struct.pack, struct.unpack, string.sub, string.byte
local RESERVED, REFUSED, RESERVED_IN_SHADOW = ${STATUS.reserved}, ${STATUS.refused}, ${STATUS.reservedInShadow}
local LOOK, SETTLED_ALREADY, EXPIRED = ${STATUS.look}, ${STATUS.alreadySettled}, ${STATUS.expired}
local UNKNOWN, FORESEEN, UNPLANNED = ${STATUS.unknown}, ${STATUS.foreseen}, ${STATUS.unplanned}
local SUB_BUCKETS, FOREVER, ZONES_APART_MS, EXPIRE_AGAIN_MS, DAY_MS = ${SUB_BUCKETS}, 1e18, ${ZONES_APART_MS}, 60000, 86400000

local function serverNow()
  local time = call('TIME')
  return time[1] * 1000 + floor(time[2] / 1000)
end

-- Moves the expiry of a key on, where it ends before a moment. One that is there without an end stays so. The key is expired by
-- the server's own clock, so raw is that: now may be ahead of it, and the counts matter by now.
local function prolong(key, expiry, isNew, raw, leastMs)
  if expiry >= FOREVER then
    if not isNew then call('PERSIST', key) end
    return
  end
  local ms = math.ceil(math.max(expiry - raw, leastMs))
  -- A period that is over by the server's clock is charged where the gate's is far behind. For a day, as it must not be kept for ever.
  if ms < 1 then ms = DAY_MS end
  local left = isNew and 0 or call('PTTL', key)
  if left >= 0 and left < ms then call('PEXPIRE', key, ms) end
end

-- How many in-flight slots are free by themselves by a moment, by bisection.
local function freeBy(slots, moment)
  local low, high = 0, #slots / 8
  while low < high do
    local middle = floor((low + high) / 2)
    if unpacked('<d', slots, middle * 8 + 1) <= moment then low = middle + 1 else high = middle end
  end
  return low
end

-- Takes or frees slots of a reservation. Returns the slots, and how many are taken then.
local function correctSlots(slots, delta, expiresAt, now)
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
`;
