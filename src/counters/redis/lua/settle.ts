import { COUNTING } from "./counting.js";
import { HEAD } from "./head.js";
import { RECORD } from "./record.js";
import { ROWS } from "./rows.js";
import { WRITING } from "./writing.js";

/**
 * Corrects an open reservation to what was really used, and closes it.
 *
 * ```
 * KEYS[1]    the reservation
 * KEYS[2…]   the scopes, then plans that the previous reply asked for, and last the plan of the call
 * ARGV[1]    a text that no other settle has: if the client sends it twice, it has the same answer
 * ARGV[2]    numbers, with the amounts as charges, see rows.ts: the caller's clock in epoch milliseconds or -1 for the
 *            server's own, how long the closed reservation is remembered, least TTL of a scope
 * ARGV[3]    tags of the rows, with whatever else decides what the numbers mean
 * ARGV[4]    plan, see rows.ts; empty if it most likely is kept
 * ARGV[5…]   the tags of the plans that the previous reply asked for
 * ```
 *
 * Replies `{used…}`, followed by how far the clock of the counts is ahead of the call's, if it is; or `{-4}` already
 * settled, `{-5}` expired, `{-6}` unknown reservation, or `{-8, tags…}` if the plan is needed and not kept, or those of
 * parts of the reservation that have other limits.
 *
 * @param shortWay the script that answers most calls and leaves the others to what follows, or empty; see straight.ts
 */
export function settleScript(shortWay: string): string {
  return `${HEAD}
local held = call('GET', KEYS[1])
if not held then return {-UNKNOWN} end
local letter = byte(held)
local again = letter == 115
if again and sub(held, 2) ~= ARGV[1] then return {-SETTLED_ALREADY} end
local numbers = cjson.decode(ARGV[2])
local raw, rememberMs, leastMs = numbers[1], numbers[2], numbers[3]
if raw < 0 then raw = serverNow() end
local behind = 0 -- No clock of the caller's is told here; the reserve has kept its periods for long enough.
-- Never before the clock of what is touched.
local now = raw
${shortWay}
local olderOf
${COUNTING}${ROWS}${WRITING}${RECORD}
-- The charges of a plan in order: the name of each and the place of its amount in the numbers.
local function planned(text)
  local charges = {}
  for _, scope in ipairs(cjson.decode(string.match(text, '^[^\\n]*'))) do
    for r = 2, #scope do
      for i = 3, #scope[r] do
        charges[#charges + 1] = {name = scope[1] .. '\\0' .. scope[r][i][1], amount = scope[r][i][2]}
      end
    end
  end
  return charges
end

local record = not again and recordOf(held) or {}
local others, unplanned = {}, {-UNPLANNED}
for place = 5, #ARGV do
  -- Of a plan that is lost nothing is given back: it errs on the side of refusing.
  others[ARGV[place]] = planned(call('GET', KEYS[#KEYS + place - 1 - #ARGV]) or '[]')
end
for _, part in ipairs(record) do
  if part.tags ~= ARGV[3] and not others[part.tags] then unplanned[#unplanned + 1] = part.tags end
end
local plan = load(2)
if not plan or #unplanned > 1 then return unplanned end

local reply = {}
if again then
  for i, c in ipairs(counts) do
    local _, used = corrected(c, 0, now, now)
    reply[i] = used
  end
  if now > raw then reply[#counts + 1] = now - raw end
  return reply
end

local expiresAt = record.expiresAt
if expiresAt <= now then return {-EXPIRED} end

-- What a part of the reservation charged, by the places of the amounts. Those of the same limits stand in the same order.
local wanted = planned(plan)
local function chargesOf(part)
  local was, charges = cjson.decode(part.numbers), {}
  if part.tags == ARGV[3] then
    for place, charge in ipairs(wanted) do charges[place] = was[charge.amount] end
    return charges
  end
  local byName = {}
  for _, charge in ipairs(others[part.tags]) do byName[charge.name] = was[charge.amount] end
  for place, charge in ipairs(wanted) do charges[place] = byName[charge.name] or 0 end
  return charges
end

local parts = {}
for p, part in ipairs(record) do parts[p] = {at = part.at, charges = chargesOf(part)} end
for i, c in ipairs(counts) do
  local delta, used = c.amount, 0
  for _, part in ipairs(parts) do delta = delta - part.charges[i] end
  -- What was charged last is given back first, so that each part keeps min(estimate, actual) of its own moment.
  for p = #parts, 2, -1 do
    if delta >= 0 then break end
    local back = math.max(delta, -parts[p].charges[i])
    c.state = corrected(c, back, parts[p].at, expiresAt)
    delta = delta - back
  end
  c.after, used = corrected(c, delta, parts[1].at, expiresAt)
  reply[i] = used
end
call('SET', KEYS[1], 's' .. ARGV[1], 'PX', rememberMs)
write(expiresAt, leastMs)
if now > raw then reply[#counts + 1] = now - raw end
return reply
`;
}
