import { failOtherForm } from "./head.js";

/**
 * The record of an open reservation, as bytes:
 *
 * 'o', when it ends by itself, then a part for what it reserved and one for each extension. A part is when it was made;
 * the lengths of the three that follow; label, tags, numbers.
 *
 * INVARIANT: another form begins with another letter. A process that does not know it fails the call.
 *
 * The label is the fingerprint of the request or, for an extension, its id. The others are as the call sent them, see
 * rows.ts; the plan of the part is kept by its tags. Once settled, the record is 's' and the text of the settle.
 */
export const RECORD = `
local function partOf(at, label)
  return pack('<dIIIc0c0c0', at, #label, #ARGV[3], #ARGV[2], label, ARGV[3], ARGV[2])
end

-- Takes a record apart.
local function recordOf(held)
  if byte(held) ~= 111 then ${failOtherForm("reservations")} end
  local record, place = {expiresAt = unpacked('<d', held, 2)}, 10
  while place < #held do
    local part, label, tags, told = {}, 0, 0, 0
    part.at, label, tags, told, place = unpacked('<dIII', held, place)
    part.label, place = sub(held, place, place + label - 1), place + label
    part.tags, place = sub(held, place, place + tags - 1), place + tags
    part.numbers, place = sub(held, place, place + told - 1), place + told
    record[#record + 1] = part
  end
  return record
end

-- A record as a reply.
local function toldOf(record)
  local told, size = {record.expiresAt}, 1
  for _, part in ipairs(record) do
    told[size + 1], told[size + 2], told[size + 3], told[size + 4] = part.at, part.label, part.numbers, part.tags
    size = size + 4
  end
  return told
end
`;
