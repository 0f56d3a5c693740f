import { type Count, countsOf, groupsOf, type Shape, slotsBegin } from "./straight-rows.js";

/**
 * The refusal on the short way of a reserve: the readings of `counting.ts`, from variables to which the charges were
 * added.
 *
 * Under load it is the most frequent answer, and nothing is written.
 */
export function refuse(shape: Shape): string {
  const parts = shape.rows.flatMap((row, i) => countsOf(row, i + 1).map((count) => read(shape, count, i)));
  return `if short then
if call('EXISTS', KEYS[1]) == 1 then return {LOOK, ''} end
local reply = {REFUSED, now, raw}
${parts.join("\n")}
return reply
end`;
}

function read(shape: Shape, count: Count, row: number): string {
  const { own, amount } = count;
  const tell = (found: string) => `do
local size, amount, max, before = #reply, amount${amount}, max${own}, used${own} - amount${amount}
if max < 0 then max = -1 - max end
local fits, empty = before + amount <= max and 0 or -1, -1
${found}
reply[size + 1], reply[size + 2], reply[size + 3] = before, amount == 0 and 0 or fits, empty
end`;
  switch (count.kind) {
    case "sliding":
      return tell(readSliding(shape, count, row));
    case "calendar":
      // A period before the present one is left to the long way, so it fits in the next.
      return tell(`empty = numbers[${count.period + 2}]
if amount <= max and fits < 0 then fits = 1 end`);
    case "inFlight":
      return tell(`if amount <= max and fits < 0 then
  local slots = sub(row${row + 1}, ${slotsBegin(shape, row)})
  fits = unpacked('<d', slots, (freeBy(slots, now) + before + amount - max - 1) * 8 + 1)
end`);
    default:
      return tell("");
  }
}

/** The older sub-buckets are read only if the answer is among them. */
function readSliding(shape: Shape, { own, amount, group, widthMs }: Count, row: number): string {
  const all = shape.rows[row];
  const found = all && groupsOf(all, row + 1).find((one) => one.own === group);
  if (found === undefined) throw new Error(`no group ${group}`);
  const size = 1 + 8 * found.counts.length;
  const offset = 1 + 8 * found.counts.findIndex((one) => one.own === own);
  const endOf = (bucket: string) => `(${bucket} + SUB_BUCKETS + 1) * ${widthMs}`;
  const at = `newest${group} - (newest${group} - byte(entries, place)) % 256`;
  return `empty = 0
if before > 0 then
  local isShort, isOld, entries = amount <= max and fits < 0, recent${own} == amount${amount}, ''
  if isShort or isOld then
    entries = older${group} or (oldest${group} ~= newest${group} and call('HGET', ${found.key}, ${found.field}) or '')
  end
  empty = ${endOf(`newest${group}`)}
  if isShort then fits = empty end
  local left = before
  for place = 1, #entries, ${size} do
    local counted = unpacked('<d', entries, place + ${offset})
    left = left - counted
    if isShort and left + amount <= max then fits, isShort = ${endOf(at)}, false end
    if isOld and counted > 0 then empty = ${endOf(at)} end
  end
end`;
}
