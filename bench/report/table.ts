import type { Bar, Comparison } from "../bars.js";
import type { LoadResult } from "../memory/weighing.js";
import type { RaceResult } from "../race.js";
import type { Results } from "../results.js";
import { digits, megabytes, time } from "./quantity.js";

/** What is measured on what. */
export function headline({
  machine,
  versions,
  quick,
}: Pick<Results, "machine" | "versions" | "quick">): string {
  const { cpu, cores, memoryGiB, node, v8, os, load } = machine;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${os}, load ${load}`,
    `Node ${node} (V8 ${v8}); ${packages.join(", ")}`,
    "Processor time per question, garbage collection included: median of the rounds, and where four fifths of them lie.",
    ...(quick ? ["Quick run: it shows that everything runs; the figures are rough."] : []),
  ].join("\n");
}

export function raceTable({ title, rounds, entrants }: RaceResult, compared: readonly Comparison[]): string {
  const rows = entrants.map(({ label, cpuNs, wallNs }) => [
    label,
    time(cpuNs.median),
    `${time(cpuNs.p10)} … ${time(cpuNs.p90)}`,
    `${time(wallNs.median)} by the clock`,
  ]);
  const ratios = compared.map(
    ({ ours, theirs, ratio }) =>
      `  ${ours}: ${digits(ratio.median)} × the speed (${digits(ratio.p10)} … ${digits(ratio.p90)}) of ${theirs}`,
  );
  return [`\n${title} (${rounds} rounds)`, ...table(rows), ...ratios].join("\n");
}

export function loadTable(loads: readonly LoadResult[]): string {
  const rows = loads.map(({ label, keys, heapBytes, arrayBufferBytes, rssBytes }) => [
    label,
    `${keys.toLocaleString("en")} keys`,
    megabytes(heapBytes + arrayBufferBytes),
    `${digits((heapBytes + arrayBufferBytes) / keys)} bytes per key`,
    `${megabytes(rssBytes)} resident`,
  ]);
  return ["\nmemory, heap and array buffers after collection", ...table(rows)].join("\n");
}

export function barTable(bars: readonly Bar[]): string {
  const rows = bars.map(({ claim, unit, atLeast, atMost, measured, reached }) => [
    reached ? "reached" : "MISSED",
    claim,
    atLeast === undefined ? `at most ${atMost} ${unit}` : `at least ${atLeast} ${unit}`,
    `${digits(measured.median)} ${unit}`,
    measured.p10 === measured.p90 ? "" : `${digits(measured.p10)} … ${digits(measured.p90)}`,
  ]);
  return ["\nbars", ...table(rows)].join("\n");
}

/** Columns side by side, two spaces between them. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
}
