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

/** The place of a limit's amount in {@link amountsByMeter}: its meter, and of costs those that count the customer's own key too. */
export function meterOf({ meter, countByok }: Limit): number {
  switch (meter) {
    case "requests":
      return 0;
    case "tokens":
      return 1;
    case "inputTokens":
      return 2;
    case "outputTokens":
      return 3;
    case "cost":
      return countByok ? 5 : 4;
    case "inFlight":
      return 6;
  }
}

const METERS = 7;

// One list for all calls: each fills it and reads it without a pause.
const byMeter = new Float64Array(METERS);

/** How much a use counts of each meter, at the places of {@link meterOf}. The list holds until the next call of this function. */
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
