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
  /** On the customer's own provider key: it costs the org nothing, but for budgets that say so. */
  readonly byok: boolean;
}

/** Where in {@link amountsByMeter} each meter is, and of costs those that count the customer's own key too. */
const PLACES: Readonly<Record<Meter | "costWithByok", number>> = {
  requests: 0,
  tokens: 1,
  inputTokens: 2,
  outputTokens: 3,
  cost: 4,
  costWithByok: 5,
  inFlight: 6,
};

/** The place of a limit's amount in {@link amountsByMeter}. */
export function meterOf({ meter, countByok }: Limit): number {
  return PLACES[meter === "cost" && countByok ? "costWithByok" : meter];
}

// One list for all calls: each fills it and reads it without a pause. What nobody fills is not a number: zero passes
// every limit.
const byMeter = new Float64Array(Object.keys(PLACES).length).fill(Number.NaN);

/**
 * How much a use counts of each meter, at the places of {@link PLACES}. The list holds until the next call of this
 * function.
 */
export function amountsByMeter(use: Use): Float64Array {
  byMeter[0] = use.requests;
  byMeter[1] = use.inputTokens + use.outputTokens;
  byMeter[2] = use.inputTokens;
  byMeter[3] = use.outputTokens;
  byMeter[4] = use.byok ? 0 : use.costNanoUsd;
  byMeter[5] = use.costNanoUsd;
  byMeter[6] = use.slots;
  return byMeter;
}

/** How much a use counts against a limit. */
export function amountOf(limit: Limit, use: Use): number {
  return amountsByMeter(use)[meterOf(limit)] as number; // sound: each meter has its place
}
