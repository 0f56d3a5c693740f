import type { Sums } from "./sink.js";
import { TOKEN_KINDS } from "./usage-event.js";

/** Sums that others are added to. */
export type Totals = { -readonly [Field in keyof Omit<Sums, "group">]: Sums[Field] };

const COUNTS = ["calls", "released", "disconnected", "expired", ...TOKEN_KINDS] as const;

export function nothing(): Totals {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, 0]));
  // Sound: it has every one.
  return { ...(counts as Record<(typeof COUNTS)[number], number>), costNanoUsd: 0n, byokNanoUsd: 0n };
}

export function add(totals: Totals, one: Omit<Sums, "group">): void {
  for (const name of COUNTS) totals[name] += one[name];
  totals.costNanoUsd += one.costNanoUsd;
  totals.byokNanoUsd += one.byokNanoUsd;
}
