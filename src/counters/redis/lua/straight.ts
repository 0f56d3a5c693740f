/**
 * The short way of a reserve and of a settle: scripts for calls of one shape, without a loop, a function or a table
 * for the counts.
 *
 * A script is run from its first line at every call, so what it creates and calls there is most of its cost. Whatever
 * these scripts do not cover they leave to what follows them, before they have written anything: rows that are missing
 * or were written for other limits (their tags differ), limits in shadow mode that are short, calendar periods other
 * than the present and the previous one, extensions and dry runs. The rows are those of rows.ts, and so is every number
 * in them.
 */

import { KEEP_PLAN } from "./plans.js";
import { refuse } from "./straight-refusal.js";
import {
  type Count,
  countsOf,
  type Group,
  groupsOf,
  type Shape,
  turn,
  variablesOf,
  widthsOf,
  withRows,
  writeRows,
} from "./straight-rows.js";

/** Lua allows 200 variables in one function, of which the scripts use about fifty for everything else. */
const VARIABLES_MAX = 145;

/** Whether a call of a shape has a short way. */
export function hasShortWay({ rows }: Shape): boolean {
  const variables = rows.map((row) => {
    const groups = widthsOf([row]).length;
    const others = row.counts.filter(({ kind }) => kind !== "sliding").length;
    return variablesOf(row).length + 3 + 4 * groups + 2 * others;
  });
  // Slots take any length, so there is room for those of one count at the end of a row.
  const isPlain = rows.every(({ counts }) => counts.filter(({ kind }) => kind === "inFlight").length <= 1);
  const amounts = new Set(rows.flatMap(({ counts }) => counts.map(({ amount }) => amount))).size;
  const sum = variables.reduce((all, some) => all + some, amounts);
  const isWhole = widthsOf(rows).every(Number.isInteger);
  return rows.length > 0 && isPlain && isWhole && sum <= VARIABLES_MAX;
}

/** The short way of `reserve.ts`, within its script. */
export function straightReserve(shape: Shape): string {
  const { rows } = shape;
  const counts = rows.flatMap((row, i) => countsOf(row, i + 1));
  const places = [...new Set(counts.map(({ amount }) => amount))];
  const slidingPlaces = counts.filter(({ kind }) => kind === "sliding").map(({ amount }) => amount);
  const isAnyNothing = [...new Set(slidingPlaces)].map((place) => `amount${place} == 0`).join(" or ");
  const charges = counts.map(
    (count) => `${charge(count)}
if amount${count.amount} > 0 and used${count.own} > max${count.own} then
  if max${count.own} < 0 then break end
  short = true
end`,
  );
  const used = counts.map(({ own }) => `used${own}`).join(", ");
  const body = `
repeat
${places.map((place) => `local amount${place} = numbers[${place}]`).join("\n")}
local expiresAt, short = now + numbers[1], false
${rows.flatMap((row, i) => groupsOf(row, i + 1).map(turn)).join("\n")}
${charges.join("\n")}
${refuse(shape)}
${isAnyNothing === "" ? "" : `local empties\nif ${isAnyNothing} then\nempties = {}\n${counts.map(noteEmptyAt).join("")}end`}
local made = pack('<c1ddIIIc0c0c0', 'o', expiresAt, now, #fingerprint, #ARGV[3], #ARGV[2], fingerprint, ARGV[3], ARGV[2])
-- Sent twice by the client, after a reply that was lost: it is reserved already.
if not call('SET', KEYS[1], made, 'PX', numbers[2], 'NX') then return {LOOK, ''} end
if fingerprint ~= '' then call('SET', KEYS[2], id, 'PX', math.max(numbers[1], leastMs)) end
${KEEP_PLAN}${writeRows(shape)}
${isAnyNothing === "" ? "" : `if empties then return {RESERVED, now, raw, ${used}, unpack(empties)} end`}
if now == raw and now > UNPLANNED then return {now, ${used}} end
do return {RESERVED, now, raw, ${used}} end
until true
`;
  return `if mode == 0 then${withRows(shape, "firstKey", body)}end`;
}

/**
 * When a sliding count to which nothing was charged is empty. If that takes a look at its older sub-buckets, the short
 * path is left.
 */
function noteEmptyAt({ kind, own, amount, widthMs, group }: Count): string {
  if (kind !== "sliding") return "";
  return `if amount${amount} == 0 then
  if used${own} > 0 and recent${own} == 0 then break end
  empties[#empties + 1] = used${own} > 0 and (newest${group} + SUB_BUCKETS + 1) * ${widthMs} or 0
end
`;
}

function charge({ kind, own, amount, period }: Count): string {
  const add = (name: string) => `${name}${own} = ${name}${own} + amount${amount}`;
  if (kind === "lifetime") return add("used");
  if (kind === "inFlight") return slots(own, `amount${amount}`);
  if (kind === "sliding") return `${add("used")}\n${add("recent")}`;
  return `if numbers[${period}] == index${own} then
  ${add("used")}
elseif numbers[${period}] > index${own} then
  previous${own}, usedBefore${own}, index${own}, ends${own}, used${own} = index${own}, used${own}, numbers[${period}], numbers[${period + 2}], amount${amount}
else
  break
end`;
}

function slots(own: string, delta: string): string {
  return `local used${own}
slots${own}, used${own} = correctSlots(slots${own}, ${delta}, expiresAt, now)`;
}

/** The short way of `settle.ts`, within its script. */
export function straightSettle(shape: Shape): string {
  const { rows } = shape;
  const counts = rows.flatMap((row, i) => countsOf(row, i + 1));
  const places = [...new Set(counts.map(({ amount }) => amount))];
  const groups = rows.flatMap((row, i) => groupsOf(row, i + 1));
  const used = counts.map(({ kind, own }) => `${kind === "calendar" ? "told" : "used"}${own}`).join(", ");
  const body = `
repeat
if expiresAt <= now then return {-EXPIRED} end
local was = cjson.decode(sub(held, begins + #ARGV[3], begins + #ARGV[3] + told - 1))
${places.map((place) => `local delta${place} = numbers[${place}] - was[${place}]`).join("\n")}
${counts
  .filter(({ kind }) => kind === "calendar")
  .map(leaveOtherPeriods)
  .join("\n")}
${groups.map((group) => `${turn(group)}${correctGroup(group)}`).join("\n")}
${counts
  .filter(({ kind }) => kind !== "sliding")
  .map(correct)
  .join("\n")}
call('SET', KEYS[1], 's' .. ARGV[1], 'PX', rememberMs)
${writeRows(shape)}
if now > raw then return {${used}, now - raw} end
do return {${used}} end
until true
`;
  return `if letter == 111 then
local expiresAt, at, label, tags, told = unpacked('<ddIII', held, 2)
local begins = 30 + label
if #held == 29 + label + tags + told and sub(held, begins, begins + tags - 1) == ARGV[3] then
${withRows(shape, "2", body)}end
end`;
}

/** A period that is neither the present nor the previous one is left to the long way. */
function leaveOtherPeriods({ own, period }: Count): string {
  return `if numbers[${period}] ~= index${own} and numbers[${period}] ~= previous${own} then break end`;
}

function correct({ kind, own, amount, period }: Count): string {
  const corrected = (name: string) => `${name}${own} = math.max(0, ${name}${own} + delta${amount})`;
  if (kind === "lifetime") return corrected("used");
  if (kind === "inFlight") return slots(own, `delta${amount}`);
  return `local told${own} = 0
if numbers[${period}] == previous${own} then
  ${corrected("usedBefore")}
  told${own} = usedBefore${own}
else
  ${corrected("used")}
  told${own} = used${own}
end`;
}

/** A surcharge goes to the present sub-bucket, a refund to the one that was charged while that is kept. */
function correctGroup({ own, widthMs, field, key, counts }: Group): string {
  const size = 1 + 8 * counts.length;
  const doubles = "d".repeat(counts.length);
  const places = [...new Set(counts.map(({ amount }) => amount))];
  const bucket = `charged${own}`;
  const recents = counts.map(
    (count) => `if delta${count.amount} > 0 or (delta${count.amount} < 0 and ${bucket} == newest${own}) then
  local change = math.max(delta${count.amount}, -recent${count.own})
  recent${count.own}, used${count.own} = recent${count.own} + change, used${count.own} + change
end`,
  );
  const olders = counts.map(
    (count) => `if delta${count.amount} < 0 then
        local back = math.min(-delta${count.amount}, was${count.own})
        was${count.own}, used${count.own} = was${count.own} - back, used${count.own} - back
      end`,
  );
  const was = counts.map((count) => `was${count.own}`);
  return `
local ${bucket} = floor(at / ${widthMs})
${recents.join("\n")}
if (${places.map((place) => `delta${place} < 0`).join(" or ")}) and ${bucket} < newest${own} and ${bucket} >= bucket${widthMs} - SUB_BUCKETS then
  local entries = older${own} or (oldest${own} ~= newest${own} and call('HGET', ${key}, ${field}) or '')
  -- Where every sub-bucket is there, it is found at the first look.
  for place = math.max(1, #entries + 1 - ${size} * (newest${own} - ${bucket})), #entries, ${size} do
    if byte(entries, place) == ${bucket} % 256 then
      local ${was.join(", ")} = unpacked('<${doubles}', entries, place + 1)
      ${olders.join("\n      ")}
      local left = ''
      if ${was.map((name) => `${name} > 0`).join(" or ")} then left = pack('<B${doubles}', ${bucket} % 256, ${was.join(", ")}) end
      older${own} = sub(entries, 1, place - 1) .. left .. sub(entries, place + ${size})
      turned${own} = true
      oldest${own} = #older${own} > 0 and newest${own} - (newest${own} - byte(older${own})) % 256 or newest${own}
      break
    end
  end
end`;
}
