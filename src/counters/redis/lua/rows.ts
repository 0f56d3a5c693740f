import { FORM } from "../../wire/layout.js";
import { failOtherForm } from "./head.js";

/**
 * How counts are stored in a scope's hash, and how a call describes them.
 *
 * `ARGV[2]` is a JSON array of numbers: three defined by each script, the amounts, and for each calendar period its
 * index, start and end. `ARGV[4]` is the plan: what does not change from call to call. Its first line is a JSON array
 * of scopes. A scope is its name and its rows; a row is its field, its tag and its counts; a count is its name, the
 * places of its amount and of its period (or 0) in the numbers, its kind and its max (`-1 - max` in shadow mode). A
 * kind is the width of a sliding window's sub-buckets in milliseconds, -1 for lifetime, -2 for in-flight, -3 for
 * calendar periods. The second line has what else a replay needs.
 *
 * The short way needs no plan, and Lua hashes every byte of every string. So a call leaves the plan out if the store
 * most likely has it: under the tags of its rows (`ARGV[3]`), in the last of KEYS.
 *
 * A row is a hash field with all the counts of a scope that have one pattern of models (most calls touch one row of
 * each scope). It holds, in this order:
 *
 * - clock, until when the key is known to be kept, tag (eight characters), max of each count;
 * - for each width of sub-buckets: newest and oldest sub-bucket, then total and newest amount of each count of that
 *   width;
 * - the states of calendar counts, then those of lifetime counts, then for each in-flight count the length of its state
 *   in bytes and the state; see counting.ts.
 *
 * Two more fields go with it. `#` and its field has the form of the row (`FORM`), then the name and kind of each of its
 * counts. `~`, its field and a width has the older sub-buckets of that width: number modulo 256 (a byte), then the amount
 * of each count. The tag is a hash of the form and of everything that the plan says about the row, so a row with the tag
 * in the plan needs no look at either. A row of another form fails the call before anything is written.
 *
 * A count that is no longer charged together with the others of its row has a field of its own, under its name, and `~`
 * and its name for the older sub-buckets. The clock of all of these is in `@`, with until when the key is known to be
 * kept.
 */
export const ROWS = `
local rows, counts = {}, {}

local function rowOf(key, field, tag)
  return {key = key, field = field, tag = tag, deadline = 0, widths = {}, groups = {}}
end

local function addTo(row, name, kind)
  -- With room for all that is ever noted of it.
  local c = {
    row = row, name = name, kind = kind, amount = nil, period = nil, max = nil, state = nil, after = nil,
    group = nil, older = nil, olderRead = nil, turned = nil, total = nil, newest = nil, recent = nil, isSingle = nil
  }
  row[#row + 1] = c
  if kind > 0 then
    local group = row.groups[kind]
    if not group then
      group = {row = row, field = '~' .. row.field .. kind, newest = -1, oldest = -1}
      row.groups[kind] = group
      row.widths[#row.widths + 1] = kind
    end
    group[#group + 1] = c
  end
  return c
end

local function eachOfKind(row, kind, visit)
  for _, c in ipairs(row) do
    if c.kind == kind then visit(c) end
  end
end

-- The older sub-buckets of a count, read for all of its group at once.
function olderOf(c)
  if c.older then return c.older end
  if c.group then
    local group, entries = c.group, ''
    if group.oldest ~= group.newest then entries = call('HGET', group.row.key, group.field) or '' end
    for i, one in ipairs(group) do
      local own = {}
      for place = 1, #entries, 1 + 8 * #group do
        local amount = sub(entries, place + 8 * i - 7, place + 8 * i)
        if unpacked('<d', amount) > 0 then own[#own + 1] = sub(entries, place, place) .. amount end
      end
      one.older = table.concat(own)
      one.olderRead = one.older
    end
    return c.older
  end
  c.older = c.isSingle and call('HGET', c.row.key, '~' .. c.name) or ''
  c.olderRead = c.older
  return c.older
end

-- Takes the states of a row's counts out of it.
local function split(row, blob)
  local at = 25 + 8 * #row
  for _, width in ipairs(row.widths) do
    local group = row.groups[width]
    group.newest, group.oldest = unpacked('<dd', blob, at)
    at = at + 16
    for _, c in ipairs(group) do
      local total, recent = unpacked('<dd', blob, at)
      c.state, c.group = pack('<dddd', total, group.newest, recent, group.oldest), group
      at = at + 16
    end
  end
  eachOfKind(row, CALENDAR, function(c) c.state, at = sub(blob, at, at + 39), at + 40 end)
  eachOfKind(row, LIFETIME, function(c) c.state, at = sub(blob, at, at + 7), at + 8 end)
  eachOfKind(row, IN_FLIGHT, function(c)
    local length = unpacked('<d', blob, at)
    c.state, at = sub(blob, at + 8, at + 7 + length), at + 8 + length
  end)
end

local function readHeader(row, header)
  local clock, deadline = unpacked('<dd', header)
  if clock > now then now = clock end
  if deadline > row.deadline then row.deadline = deadline end
end

-- Counts that are not among those of the row as it lies there.
local function readSingles(row, wanted)
  if #wanted == 0 then return end
  local names = {'@'}
  for i, c in ipairs(wanted) do names[i + 1] = c.name end
  local read = call('HMGET', row.key, unpack(names))
  if not read[1] then return end
  readHeader(row, read[1])
  for i, c in ipairs(wanted) do
    if read[i + 1] then c.state, c.isSingle = read[i + 1], true end
  end
end

-- A row that was written for other counts: each is looked for where it lies now.
local function readOther(row, blob)
  local was, wanted = rowOf(row.key, row.field, ''), {}
  local known = cmsgpack.unpack(call('HGET', row.key, '#' .. row.field))
  if known[1] ~= ${FORM} then ${failOtherForm("counts")} end
  for place = 2, #known, 2 do addTo(was, known[place], known[place + 1]) end
  split(was, blob)
  local byName = {}
  for _, old in ipairs(was) do byName[old.name] = old end
  for _, c in ipairs(row) do
    local old = byName[c.name]
    if old then
      old.isKept, c.state = true, old.state
      if old.group then c.older = olderOf(old) c.olderRead = c.older end
    else
      wanted[#wanted + 1] = c
    end
  end
  readSingles(row, wanted)
  row.left = {}
  for _, old in ipairs(was) do
    if not old.isKept then
      olderOf(old)
      row.left[#row.left + 1] = old
    end
  end
end

local function readRow(row)
  local blob = call('HGET', row.key, row.field)
  if not blob then
    row.isNew = true
    return
  end
  readHeader(row, blob)
  if sub(blob, 17, 24) == row.tag then
    split(row, blob)
  else
    row.isNew = true
    readOther(row, blob)
  end
end

-- Reads every count of the call; the scopes begin at a place in KEYS. Returns the plan, if there is one.
local function load(first)
  local plan = ARGV[4] ~= '' and ARGV[4] or call('GET', KEYS[#KEYS])
  if not plan then return nil end
  for s, scope in ipairs(cjson.decode(string.match(plan, '^[^\\n]*'))) do
    local key = KEYS[first + s - 1]
    for r = 2, #scope do
      local row = rowOf(key, scope[r][1], scope[r][2])
      rows[#rows + 1] = row
      for i = 3, #scope[r] do
        local name, amount, period, kind, max = unpack(scope[r][i])
        local c = addTo(row, name, kind)
        c.amount, c.period, c.max = numbers[amount], period, max
        counts[#counts + 1] = c
      end
      readRow(row)
    end
  end
  return plan
end
`;
