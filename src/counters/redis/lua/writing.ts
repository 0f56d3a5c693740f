import { FORM } from "../../wire/layout.js";

/**
 * Writing rows, once the states after a call are worked out: `write(expiresAt, leastMs)`. For what they hold see
 * `rows.ts`.
 */
export const WRITING = `
-- Puts the sub-buckets of counts side by side. Answers newest and oldest, and the older ones where they have changed.
local function joined(group, isNew)
  local newest, same, byBucket, buckets = -1, not isNew, {}, {}
  for _, c in ipairs(group) do
    c.total, c.newest, c.recent = 0, -1, 0
    if c.after then c.total, c.newest, c.recent = unpacked('<dddd', c.after) end
    newest = math.max(newest, c.newest)
    if c.turned then same = false end
  end
  for _, c in ipairs(group) do
    if c.newest < newest and c.recent > 0 then same = false end
  end
  if same then
    for _, c in ipairs(group) do
      if c.newest < newest then c.recent = 0 end
    end
    return newest, group.oldest == group.newest and newest or group.oldest
  end
  local function note(i, bucket, amount)
    if not byBucket[bucket] then
      byBucket[bucket] = {}
      buckets[#buckets + 1] = bucket
    end
    byBucket[bucket][i] = amount
  end
  for i, c in ipairs(group) do
    local entries = olderOf(c)
    for place = 1, #entries, 9 do
      note(i, bucketAt(entries, place, c.newest), sub(entries, place + 1, place + 8))
    end
    if c.newest < newest and c.recent > 0 then
      note(i, c.newest, pack('<d', c.recent))
      c.recent = 0
    end
  end
  table.sort(buckets)
  local entries, nothing = {}, pack('<d', 0)
  for _, bucket in ipairs(buckets) do
    entries[#entries + 1] = string.char(bucket % 256)
    for i = 1, #group do entries[#entries + 1] = byBucket[bucket][i] or nothing end
  end
  return newest, buckets[1] or newest, table.concat(entries)
end

-- Appends to the fields of a row that are to be written: those of its counts.
local function appendRow(row, fields)
  local parts, names = {pack('<ddc8', now, row.expiry, row.tag)}, {${FORM}}
  for i, c in ipairs(row) do
    parts[#parts + 1] = pack('<d', c.max)
    names[2 * i], names[2 * i + 1] = c.name, c.kind
  end
  for _, width in ipairs(row.widths) do
    local group = row.groups[width]
    local newest, oldest, older = joined(group, row.isNew)
    parts[#parts + 1] = pack('<dd', newest, oldest)
    for _, c in ipairs(group) do parts[#parts + 1] = pack('<dd', c.total, c.recent) end
    if older then
      fields[#fields + 1] = group.field
      fields[#fields + 1] = older
    end
  end
  eachOfKind(row, CALENDAR, function(c) parts[#parts + 1] = c.after end)
  eachOfKind(row, LIFETIME, function(c) parts[#parts + 1] = c.after end)
  eachOfKind(row, IN_FLIGHT, function(c) parts[#parts + 1] = pack('<d', #c.after) .. c.after end)
  fields[#fields + 1] = row.field
  fields[#fields + 1] = table.concat(parts)
  if row.isNew then
    fields[#fields + 1] = '#' .. row.field
    fields[#fields + 1] = cmsgpack.pack(names)
  end
end

local function appendSingle(c, state, fields)
  fields[#fields + 1] = c.name
  fields[#fields + 1] = state
  if c.kind > 0 and (c.older or '') ~= '' then
    fields[#fields + 1] = '~' .. c.name
    fields[#fields + 1] = c.older
  end
end

-- Until when the counts of a row matter; nothing where none of them was counted.
local function expiryOf(row, expiresAt)
  local expiry
  for _, c in ipairs(row) do
    if c.after then expiry = math.max(expiry or row.deadline, mattersUntil(c, expiresAt)) end
  end
  return expiry
end

local function writeRow(row, leastMs)
  local fields, gone, isFresh = {}, {}, row.deadline == 0 and call('EXISTS', row.key) == 0
  local moves = row.expiry > row.deadline
  if moves and row.expiry < FOREVER then row.expiry = row.expiry + EXPIRE_AGAIN_MS end
  appendRow(row, fields)
  for _, c in ipairs(row) do
    if c.isSingle then gone[#gone + 1] = c.name gone[#gone + 1] = '~' .. c.name end
  end
  if row.left and #row.left > 0 then
    for _, c in ipairs(row.left) do appendSingle(c, c.state, fields) end
    fields[#fields + 1] = '@'
    fields[#fields + 1] = pack('<dd', now, row.expiry)
  end
  if #gone > 0 then call('HDEL', row.key, unpack(gone)) end
  call('HSET', row.key, unpack(fields))
  if moves then prolong(row.key, row.expiry, isFresh, raw, leastMs) end
end

-- Writes the state after the call of every count. The expiry of a key moves on once a minute at most.
local function write(expiresAt, leastMs)
  for _, row in ipairs(rows) do
    row.expiry = expiryOf(row, expiresAt)
    if row.expiry then writeRow(row, leastMs) end
  end
end
`;
