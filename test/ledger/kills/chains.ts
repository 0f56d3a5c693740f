import type { KeyChain } from "tollgate";

const budget = { budget: { usd: 1_000_000, reset: "never" as const } };

/** Keys of one org, each with a budget of its own below the org's. */
export const CHAINS: readonly KeyChain[] = Array.from({ length: 40 }, (_, i) => ({
  org: { id: "o", limits: budget },
  project: { id: "p" },
  holder: { userId: "u", active: true },
  key: { id: `k${i}`, limits: budget },
}));

export const PRICES = { m: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } };
