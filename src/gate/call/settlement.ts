import type { Use } from "../../admission/amounts.js";
import type { LimitReading } from "../../admission/limit-reading.js";
import type { NotOpen } from "../../counters/counters.js";

/** What a call was charged. */
export interface Charged {
  readonly requests: number;
  /** All input tokens. */
  readonly inputTokens: number;
  /** All output tokens. */
  readonly outputTokens: number;
  /** Input and output together. */
  readonly tokens: number;
  /**
   * The cost in nano-USD. It is given even if the call ran on the customer's own provider key and counted against no
   * budget.
   */
  readonly costNanoUsd: number;
}

/** The answer of `settle` and `release`. */
export type Settlement =
  | {
      readonly settled: true;
      readonly charged: Charged;
      /**
       * The limits that this settle put above their max, which is the max at the admission and may have changed since.
       * They refuse later calls until their window has moved on.
       */
      readonly overdraft: readonly LimitReading[];
    }
  | { readonly settled: false; readonly reason: NotOpen };

export function chargedBy({ requests, inputTokens, outputTokens, costNanoUsd }: Use): Charged {
  return { requests, inputTokens, outputTokens, tokens: inputTokens + outputTokens, costNanoUsd };
}
