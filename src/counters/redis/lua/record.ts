/**
 * The record of an open reservation, as bytes:
 *
 *   'o', when it ends by itself, then a part for what it reserved and one for each extension:
 *   when it was made; the lengths of the four that follow; label, tags, numbers, plan
 *
 * The label is the fingerprint of the request, for an extension its id. The others are as the call sent them, see rows.ts; a plan
 * that is the one of the part before is left out, for a call may be extended hundreds of times.
 * Once it is settled the record is 's' and the text of the settle.
 */
export const RECORD = `
local function partOf(at, label, planBefore)
  local plan = ARGV[4] == planBefore and '' or ARGV[4]
  return pack('<dIIII', at, #label, #ARGV[3], #ARGV[2], #plan) .. label .. ARGV[3] .. ARGV[2] .. plan
end

-- Takes a record apart.
local function recordOf(held)
  local record, place, planBefore = {expiresAt = unpacked('<d', held, 2)}, 10, nil
  while place < #held do
    local part, label, tags, told, plan = {}, 0, 0, 0, 0
    part.at, label, tags, told, plan, place = unpacked('<dIIII', held, place)
    part.label, place = sub(held, place, place + label - 1), place + label
    part.tags, place = sub(held, place, place + tags - 1), place + tags
    part.numbers, place = sub(held, place, place + told - 1), place + told
    part.plan, place = plan == 0 and planBefore or sub(held, place, place + plan - 1), place + plan
    planBefore = part.plan
    record[#record + 1] = part
  end
  return record
end

-- A record as a reply: without plans that are those of the part before.
local function toldOf(record)
  local told, size, planBefore = {record.expiresAt}, 1, nil
  for _, part in ipairs(record) do
    told[size + 1], told[size + 2], told[size + 3] = part.at, part.label, part.numbers
    told[size + 4] = part.plan == planBefore and '' or part.plan
    size, planBefore = size + 4, part.plan
  end
  return told
end
`;
