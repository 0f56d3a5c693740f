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

/** How much of a call counts against a limit. */
export function amountOf(limit: Limit, use: Use): number {
  switch (limit.meter) {
    case "requests":
      return use.requests;
    case "tokens":
      return use.inputTokens + use.outputTokens;
    case "inputTokens":
      return use.inputTokens;
    case "outputTokens":
      return use.outputTokens;
    case "cost":
      return use.byok && !limit.countByok ? 0 : use.costNanoUsd;
    case "inFlight":
      return use.slots;
  }
}
