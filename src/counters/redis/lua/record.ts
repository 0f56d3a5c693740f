/**
 * The record of an open reservation, as bytes:
 *
 *   'o', when it ends by itself, then a part for what it reserved and one for each extension:
 *   when it was made; the lengths of the four that follow; label, tags, numbers, plan
 *
 * The label is the fingerprint of the request, for an extension its id. The others are as the call sent them, see rows.ts.
 * Once it is settled the record is 's' and the text of the settle.
 */
export const RECORD = `
local function partOf(at, label)
  return pack('<dIIII', at, #label, #ARGV[3], #ARGV[2], #ARGV[4]) .. label .. ARGV[3] .. ARGV[2] .. ARGV[4]
end

-- Takes a record apart.
local function recordOf(held)
  local record, place = {expiresAt = unpacked('<d', held, 2)}, 10
  while place < #held do
    local part, label, tags, told, plan = {}, 0, 0, 0, 0
    part.at, label, tags, told, plan, place = unpacked('<dIIII', held, place)
    part.label, place = sub(held, place, place + label - 1), place + label
    part.tags, place = sub(held, place, place + tags - 1), place + tags
    part.numbers, place = sub(held, place, place + told - 1), place + told
    part.plan, place = sub(held, place, place + plan - 1), place + plan
    record[#record + 1] = part
  end
  return record
end

-- A record as a reply.
local function toldOf(record)
  local told = {record.expiresAt}
  for _, part in ipairs(record) do
    for _, value in ipairs({part.at, part.label, part.numbers, part.plan}) do told[#told + 1] = value end
  end
  return told
end
`;
