import type { Meter } from "../model/limits.js";
import type { Limit } from "./limit.js";

/** What one call uses of each meter. */
export interface Use {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  /** In-flight slots. */
  readonly slots: number;
  /**
   * Whether the call runs on the customer's own provider key. It then costs the org nothing except in budgets with
   * `countByok`.
   */
  readonly byok: boolean;
}

/** The index of each meter in {@link amountsByMeter}. Costs have a second one that includes the customer's own key. */
const PLACES: Readonly<Record<Meter | "costWithByok", number>> = {
  requests: 0,
  tokens: 1,
  inputTokens: 2,
  outputTokens: 3,
  cost: 4,
  costWithByok: 5,
  inFlight: 6,
};

/** The index of a limit's amount in {@link amountsByMeter}. */
export function meterOf({ meter, countByok }: Limit): number {
  return PLACES[meter === "cost" && countByok ? "costWithByok" : meter];
}

// One list of each kind for all calls, since each fills and reads it without a pause. They begin with NaN rather than
// zero, as zero passes every limit.
const byMeter = new Float64Array(Object.keys(PLACES).length).fill(Number.NaN);
const reserved = byMeter.slice();

/** How much a use counts on each meter, at the indexes in {@link PLACES}. The list is valid until the next call. */
export function amountsByMeter(use: Use): Float64Array {
  return filled(byMeter, use);
}

/** The same in another list, for a settle, which compares what is used with what was reserved. */
export function reservedByMeter(use: Use): Float64Array {
  return filled(reserved, use);
}

function filled(amounts: Float64Array, use: Use): Float64Array {
  amounts[0] = use.requests;
  amounts[1] = use.inputTokens + use.outputTokens;
  amounts[2] = use.inputTokens;
  amounts[3] = use.outputTokens;
  amounts[4] = use.byok ? 0 : use.costNanoUsd;
  amounts[5] = use.costNanoUsd;
  amounts[6] = use.slots;
  return amounts;
}

/** How much a use counts against a limit. */
export function amountOf(limit: Limit, use: Use): number {
  return amountsByMeter(use)[meterOf(limit)] as number; // sound: each meter has its place
}
