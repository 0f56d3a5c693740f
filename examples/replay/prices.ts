import { priceCatalog } from "tollgate";

/** List prices of July 2026 in US dollars per million tokens. Prices change: a gateway loads its own catalog. */
export const prices = priceCatalog.of({
  "openai/gpt-5.4": {
    inputUsdPerMillion: 2.5,
    outputUsdPerMillion: 15,
    maxOutputTokens: 128_000,
    tiers: [{ aboveInputTokens: 272_000, inputUsdPerMillion: 5, outputUsdPerMillion: 22.5 }],
  },
  "openai/gpt-5.4-mini": { inputUsdPerMillion: 0.75, outputUsdPerMillion: 4.5, maxOutputTokens: 128_000 },
  "anthropic/claude-sonnet-4-6": { inputUsdPerMillion: 3, outputUsdPerMillion: 15, maxOutputTokens: 64_000 },
  "anthropic/claude-haiku-4-5": { inputUsdPerMillion: 1, outputUsdPerMillion: 5, maxOutputTokens: 64_000 },
  "google/gemini-2.5-flash": { inputUsdPerMillion: 0.3, outputUsdPerMillion: 2.5, maxOutputTokens: 65_535 },
});
