import type { Window } from "../../../admission/limit.js";
import { SUB_BUCKETS } from "../../../admission/sliding-count.js";

/** Rows as variables of a script: reading them, ending a sub-bucket, writing them. For what they hold see `rows.ts`. */

/** What one call looks like, apart from names and amounts: what its scripts are made from. */
export interface Shape {
  readonly rows: readonly RowShape[];
}

interface RowShape {
  /** The index of its scope among those of the call. */
  readonly scope: number;
  readonly field: string;
  readonly counts: readonly CountShape[];
}

export interface CountShape {
  readonly kind: Window["kind"];
  /** The width of a sub-bucket, in milliseconds. 0 unless sliding. */
  readonly widthMs: number;
  /** Places in the numbers of the call, from 1. The period's is 0 if there is none. */
  readonly amount: number;
  readonly period: number;
}

/** One count, with the suffixes of its variables' names and of those of its group. */
export interface Count extends CountShape {
  readonly own: string;
  readonly group: string;
}

export interface Group {
  readonly own: string;
  readonly widthMs: number;
  readonly field: string;
  readonly key: string;
  readonly counts: readonly Count[];
}

export function countsOf(row: RowShape, r: number): Count[] {
  const widths = widthsOf([row]);
  return row.counts.map((count, i) => {
    return { ...count, own: `${r}_${i + 1}`, group: `${r}g${widths.indexOf(count.widthMs) + 1}` };
  });
}

export function groupsOf(row: RowShape, r: number): Group[] {
  const counts = countsOf(row, r).filter(({ kind }) => kind === "sliding");
  return widthsOf([row]).map((widthMs, g) => ({
    own: `${r}g${g + 1}`,
    widthMs,
    field: quoted(`~${row.field}${widthMs}`),
    key: `key${r}`,
    counts: counts.filter((count) => count.widthMs === widthMs),
  }));
}

/** The variables of a row in the order in which they are stored. */
export function variablesOf(row: RowShape, r = 0): string[] {
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

/** Where the slots of a row begin, after everything with a fixed place. */
export function slotsBegin({ rows }: Shape, row: number): number {
  const found = rows[row];
  return found ? 8 * variablesOf(found).length + 1 : 1;
}

/** Reads the rows. `then` runs if all of them were written for these limits. */
export function withRows({ rows }: Shape, firstKey: string, then: string): string {
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

export function widthsOf(rows: readonly RowShape[]): number[] {
  const widths = rows.flatMap(({ counts }) => counts.map(({ widthMs }) => widthMs));
  return [...new Set(widths)].filter((width) => width > 0);
}

/**
 * Begins the present sub-bucket: the newest becomes the last of the older ones, and those that are too old are dropped.
 */
export function turn({ own, widthMs, field, key, counts }: Group): string {
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

/** Writes the rows, and extends the expiry of keys that would end too soon. */
export function writeRows({ rows }: Shape): string {
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
  prolong(key${r}, expiry${r}, false, raw, leastMs)
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
    .map(({ period }) => `numbers[${period + 2}] + behind + math.max(ZONES_APART_MS, expiresAt - now)`);
  if (widest > 0) moments.push(`now + ${(SUB_BUCKETS + 1) * widest}`);
  if (counts.some(({ kind }) => kind === "inFlight")) moments.push("expiresAt");
  return moments.length > 1 ? `math.max(${[...new Set(moments)].join(", ")})` : moments.join("");
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\0/g, "\\000")}'`;
}
