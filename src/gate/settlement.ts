import type { Use } from "../admission/amounts.js";
import type { LimitReading } from "../admission/limit-reading.js";
import type { NotOpen } from "../counters/counters.js";

/** What a call came to. */
export interface Charged {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Input and output together. */
  readonly tokens: number;
  readonly costNanoUsd: number;
}

/** The answer of `settle` and `release`. */
export type Settlement =
  | {
      readonly settled: true;
      readonly charged: Charged;
      /** The limits that this settle put above their max. They refuse later calls until their window has moved on. */
      readonly overdraft: readonly LimitReading[];
    }
  | { readonly settled: false; readonly reason: NotOpen };

export function chargedBy({ requests, inputTokens, outputTokens, costNanoUsd }: Use): Charged {
  return { requests, inputTokens, outputTokens, tokens: inputTokens + outputTokens, costNanoUsd };
}
