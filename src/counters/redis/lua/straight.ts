/**
 * The short way of a reserve and of a settle: scripts for calls of one shape, without a loop, a function or a table for the counts.
 *
 * A script is run from its first line at every call, so what it makes and calls there is most of its cost. What these take no
 * account of they leave to what follows them, before they have written anything: rows that are not there or were written for other
 * limits (their tags differ), amounts that do not fit, sliding amounts of nothing, calendar periods other than the present one and
 * the one before, extensions and dry runs. The rows are those of rows.ts, and so is every number in them.
 */

import type { Window } from "../../../admission/limit.js";

/** What one call looks like, but for names and amounts: what its scripts are made of. */
export interface Shape {
  readonly rows: readonly RowShape[];
}

export interface RowShape {
  /** Which of the call's scopes it is of, from 0. */
  readonly scope: number;
  readonly field: string;
  readonly counts: readonly CountShape[];
}

export interface CountShape {
  readonly kind: Window["kind"];
  /** Of a sub-bucket, in milliseconds; 0 unless sliding. */
  readonly widthMs: number;
  /** Places in the numbers of the call, from 1; the period's is 0 where there is none. */
  readonly amount: number;
  readonly period: number;
}

/** Lua takes 200 variables in one function, of which the scripts have some fifty for everything else. */
const VARIABLES_MAX = 145;

/** Whether a call of a shape has a short way. */
export function hasShortWay({ rows }: Shape): boolean {
  const variables = rows.map((row) => {
    const groups = widthsOf([row]).length;
    const others = row.counts.filter(({ kind }) => kind !== "sliding").length;
    return variablesOf(row).length + 3 + 4 * groups + 2 * others;
  });
  // Slots are of any length, so there is room for those of one count at the end of a row.
  const isPlain = rows.every(({ counts }) => counts.filter(({ kind }) => kind === "inFlight").length <= 1);
  const amounts = new Set(rows.flatMap(({ counts }) => counts.map(({ amount }) => amount))).size;
  const sum = variables.reduce((all, some) => all + some, amounts);
  return rows.length > 0 && isPlain && sum <= VARIABLES_MAX;
}

/** One count, with what the names of its variables and of those of its group end in. */
interface Count extends CountShape {
  readonly own: string;
  readonly group: string;
}

interface Group {
  readonly own: string;
  readonly widthMs: number;
  readonly field: string;
  readonly key: string;
  readonly counts: readonly Count[];
}

function countsOf(row: RowShape, r: number): Count[] {
  const widths = widthsOf([row]);
  return row.counts.map((count, i) => {
    return { ...count, own: `${r}_${i + 1}`, group: `${r}g${widths.indexOf(count.widthMs) + 1}` };
  });
}

function groupsOf(row: RowShape, r: number): Group[] {
  const counts = countsOf(row, r).filter(({ kind }) => kind === "sliding");
  return widthsOf([row]).map((widthMs, g) => ({
    own: `${r}g${g + 1}`,
    widthMs,
    field: quoted(`~${row.field}${widthMs}`),
    key: `key${r}`,
    counts: counts.filter((count) => count.widthMs === widthMs),
  }));
}

/** The variables of a row in the order in which they lie in it. */
function variablesOf(row: RowShape, r = 0): string[] {
  const counts = countsOf(row, r);
  const of = (kind: CountShape["kind"]) => counts.filter((count) => count.kind === kind);
  return [
    ...[`clock${r}`, `deadline${r}`, `tag${r}`],
    ...counts.map(({ own }) => `max${own}`),
    ...groupsOf(row, r).flatMap(({ own, counts }) => [
      ...[`newest${own}`, `oldest${own}`],
      ...counts.flatMap((count) => [`used${count.own}`, `recent${count.own}`]),
    ]),
    ...of("calendar").flatMap(({ own }) => [
      ...[`index${own}`, `ends${own}`, `used${own}`],
      ...[`previous${own}`, `usedBefore${own}`],
    ]),
    ...of("lifetime").map(({ own }) => `used${own}`),
    ...of("inFlight").map(({ own }) => `length${own}`),
  ];
}

/** Reads the rows; what is in `then` runs where all of them were written for these limits. */
function withRows({ rows }: Shape, firstKey: string, then: string): string {
  const lines = rows.flatMap(({ scope, field }, i) => [
    `local key${i + 1} = KEYS[${firstKey} + ${scope}]`,
    `local row${i + 1} = call('HGET', key${i + 1}, ${quoted(field)})`,
  ]);
  const areWhole = rows.map((row, i) => {
    const hasSlots = row.counts.some(({ kind }) => kind === "inFlight");
    return `row${i + 1} and #row${i + 1} ${hasSlots ? ">=" : "=="} ${8 * variablesOf(row).length}`;
  });
  const slots = rows.flatMap((row, i) =>
    countsOf(row, i + 1)
      .filter(({ kind }) => kind === "inFlight")
      .map(({ own }) => `local slots${own} = sub(row${i + 1}, ${8 * variablesOf(row).length + 1})`),
  );
  const unpacks = rows.map((row, i) => {
    const variables = variablesOf(row, i + 1);
    return `local ${variables.join(", ")} = unpacked('${formatOf(variables)}', row${i + 1})`;
  });
  return `
${lines.join("\n")}
if ${areWhole.join(" and ")} then
${unpacks.join("\n")}
if ${rows.map((_, i) => `tag${i + 1}`).join(" .. ")} == ARGV[3] then
${rows.map((_, i) => `if clock${i + 1} > now then now = clock${i + 1} end`).join("\n")}
${widthsOf(rows)
  .map((width) => `local bucket${width} = floor(now / ${width})`)
  .join("\n")}
${slots.join("\n")}
${then}
end
end
`;
}

function formatOf(variables: readonly string[]): string {
  return `<${variables.map((name) => (name.startsWith("tag") ? "c8" : "d")).join("")}`;
}

function widthsOf(rows: readonly RowShape[]): number[] {
  const widths = rows.flatMap(({ counts }) => counts.map(({ widthMs }) => widthMs));
  return [...new Set(widths)].filter((width) => width > 0);
}

/** Begins the sub-bucket of now: the newest one becomes the last of the older, and those that are too old are dropped. */
function turn({ own, widthMs, field, key, counts }: Group): string {
  const size = 1 + 8 * counts.length;
  const doubles = "d".repeat(counts.length);
  const was = counts.map((count) => `was${count.own}`).join(", ");
  return `
local older${own}, turned${own} = nil, false
if newest${own} < bucket${widthMs} then
  local entries, place = oldest${own} ~= newest${own} and call('HGET', ${key}, ${field}) or '', 1
  while place < #entries do
    if newest${own} - (newest${own} - byte(entries, place)) % 256 >= bucket${widthMs} - SUB_BUCKETS then break end
    local ${was} = unpacked('<${doubles}', entries, place + 1)
    ${counts.map((count) => `used${count.own} = used${count.own} - was${count.own}`).join("\n    ")}
    place = place + ${size}
  end
  if place > 1 then entries = sub(entries, place) end
  if newest${own} < bucket${widthMs} - SUB_BUCKETS then
    ${counts.map((count) => `used${count.own} = used${count.own} - recent${count.own}`).join("\n    ")}
  elseif ${counts.map((count) => `recent${count.own} > 0`).join(" or ")} then
    entries = entries .. pack('<B${doubles}', newest${own} % 256, ${counts.map((count) => `recent${count.own}`).join(", ")})
  end
  ${counts.map((count) => `recent${count.own} = 0`).join("\n  ")}
  older${own}, turned${own}, newest${own} = entries, true, bucket${widthMs}
  oldest${own} = #entries > 0 and newest${own} - (newest${own} - byte(entries)) % 256 or newest${own}
end`;
}

/** Writes the rows, and moves the expiry of those keys on that would end too soon. */
function write({ rows }: Shape): string {
  return rows
    .map((row, i) => {
      const r = i + 1;
      const variables = variablesOf(row, r);
      const values = [`now`, ...variables.slice(1)].join(", ");
      const groups = groupsOf(row, r);
      const slotted = countsOf(row, r).filter(({ kind }) => kind === "inFlight");
      const lengths = slotted.map(({ own }) => `length${own} = #slots${own}`);
      const slots = slotted.map(({ own }) => ` .. slots${own}`);
      const written = `${quoted(row.field)}, row${r}`;
      const turned = groups.map(
        ({ own, field }) =>
          `if turned${own} then call('HSET', key${r}, ${field}, older${own}, ${written}) else`,
      );
      const [first = ""] = turned;
      const others = groups
        .slice(1)
        .map(({ own, field }) => `if turned${own} then call('HSET', key${r}, ${field}, older${own}) end`);
      return `
local expiry${r} = ${matters(countsOf(row, r))}
if expiry${r} > deadline${r} then
  if expiry${r} < FOREVER then expiry${r} = expiry${r} + EXPIRE_AGAIN_MS end
  deadline${r} = expiry${r}
  prolong(key${r}, expiry${r}, false, now, leastMs)
end
${lengths.join("\n")}
row${r} = pack('${formatOf(variables)}', ${values})${slots.join("")}
${first} call('HSET', key${r}, ${written})${first === "" ? "" : " end"}
${others.join("\n")}`;
    })
    .join("\n");
}

/** Until when the counts of a row matter. */
function matters(counts: readonly Count[]): string {
  if (counts.some(({ kind }) => kind === "lifetime")) return "FOREVER";
  const widest = Math.max(0, ...counts.map(({ widthMs }) => widthMs));
  const moments = counts
    .filter(({ kind }) => kind === "calendar")
    .map(({ period }) => `numbers[${period + 2}] + ZONES_APART_MS`);
  if (widest > 0) moments.push(`now + ${61 * widest}`);
  if (counts.some(({ kind }) => kind === "inFlight")) moments.push("expiresAt");
  return moments.length > 1 ? `math.max(${[...new Set(moments)].join(", ")})` : moments.join("");
}

const ALL = { from: "repeat", unless: (bad: string) => `if ${bad} then break end`, to: "until true" };

/** The short way of `reserve.ts`, in whose script it stands. */
export function straightReserve(shape: Shape): string {
  const { rows } = shape;
  const counts = rows.flatMap((row, i) => countsOf(row, i + 1));
  const places = [...new Set(counts.map(({ amount }) => amount))];
  const slidingPlaces = counts.filter(({ kind }) => kind === "sliding").map(({ amount }) => amount);
  const isAnyNothing = [...new Set(slidingPlaces)].map((place) => `amount${place} == 0`).join(" or ");
  const charges = counts.map(
    (count) => `${charge(count)}
if amount${count.amount} > 0 and used${count.own} > max${count.own} then break end`,
  );
  const used = counts.map(({ own }) => `used${own}`).join(", ");
  const body = `
${ALL.from}
${places.map((place) => `local amount${place} = numbers[${place}]`).join("\n")}
local expiresAt = now + numbers[1]
${rows.flatMap((row, i) => groupsOf(row, i + 1).map(turn)).join("\n")}
${charges.join("\n")}
${isAnyNothing === "" ? "" : `local empties\nif ${isAnyNothing} then\nempties = {}\n${counts.map(noteEmptyAt).join("")}end`}
local made = 'o' .. pack('<ddIIII', expiresAt, now, #fingerprint, #ARGV[3], #ARGV[2], #ARGV[4])
made = made .. fingerprint .. ARGV[3] .. ARGV[2] .. ARGV[4]
-- Sent twice by the client, after a reply that was lost: it is reserved already.
if not call('SET', KEYS[1], made, 'PX', numbers[2], 'NX') then return {LOOK, ''} end
if fingerprint ~= '' then call('SET', KEYS[2], id, 'PX', math.max(numbers[1], leastMs)) end
${write(shape)}
${isAnyNothing === "" ? "" : `if empties then return {RESERVED, now, raw, ${used}, unpack(empties)} end`}
if now == raw then return {now, ${used}} end
do return {RESERVED, now, raw, ${used}} end
${ALL.to}
`;
  return `if mode == 0 then${withRows(shape, "firstKey", body)}end`;
}

/** When a sliding count is empty to which nothing was charged; where that takes a look at its older sub-buckets, no short way. */
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

/** The short way of `settle.ts`, in whose script it stands. */
export function straightSettle(shape: Shape): string {
  const { rows } = shape;
  const counts = rows.flatMap((row, i) => countsOf(row, i + 1));
  const places = [...new Set(counts.map(({ amount }) => amount))];
  const groups = rows.flatMap((row, i) => groupsOf(row, i + 1));
  const body = `
${ALL.from}
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
${write(shape)}
do return {${counts.map(({ kind, own }) => `${kind === "calendar" ? "told" : "used"}${own}`).join(", ")}} end
${ALL.to}
`;
  return `if not again then
local expiresAt, at, label, tags, told, plan = unpacked('<ddIIII', held, 2)
local begins = 34 + label
if #held == 33 + label + tags + told + plan and sub(held, begins, begins + tags - 1) == ARGV[3] then
${withRows(shape, "2", body)}end
end`;
}

/** A period that is neither the present one nor the one before is for the long way. */
function leaveOtherPeriods({ own, period }: Count): string {
  return ALL.unless(`numbers[${period}] ~= index${own} and numbers[${period}] ~= previous${own}`);
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

/** A surcharge goes to the sub-bucket of now, a refund to the one that was charged while that lives. */
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

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\0/g, "\\000")}'`;
}
