import { digits } from "../report/quantity.js";
import { table } from "../report/table.js";
import type { ServedResult } from "./race.js";

export function servedTable({ title, rounds, entrants, ratio }: ServedResult): string {
  const rows = entrants.map((entrant) => {
    const { label, concurrency, callsPerSecond, p50Ms, p99Ms, statementsPerCall, cpuUsPerCall } = entrant;
    return [
      label,
      `${concurrency} at once`,
      `${digits(callsPerSecond.median)} calls/s (${digits(callsPerSecond.p10)} … ${digits(callsPerSecond.p90)})`,
      `p50 ${digits(p50Ms)} ms`,
      `p99 ${digits(p99Ms)} ms`,
      `${digits(statementsPerCall)} statements`,
      `${digits(cpuUsPerCall)} µs here`,
    ];
  });
  const compared = ratio && [
    `  ${digits(ratio.times.median)} × the calls per second (${digits(ratio.times.p10)} … ${digits(ratio.times.p90)}) of ${ratio.theirs}`,
  ];
  return [`\n${title} (${rounds} rounds)`, ...table(rows), ...(compared ?? [])].join("\n");
}
