import type { KeyChain, Usage } from "tollgate";

/** What each call of {@link HAMMER_CHAIN} asks for: ten tokens and a thousandth of a dollar. */
export const HAMMER_USAGE: Usage = { model: "any", inputTokens: 4, maxOutputTokens: 6, costUsd: "0.001" };

/** Limits at three scopes, each with room for another number of calls; the tightest is the budget of the key. */
export const HAMMER_CALLS = 3_000;

export const HAMMER_CHAIN: KeyChain = {
  org: { id: "o1", limits: { rpd: 4_000, budget: { usd: 3.5, reset: "never" } } },
  project: { id: "p1", limits: { tpd: 40_000 } },
  holder: { userId: "u1", active: true },
  key: { id: "k1", limits: { tpm: 100_000, budget: { usd: 3, reset: "monthly" } } },
};
