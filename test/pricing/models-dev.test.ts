import {
  costNanoUsd,
  type ModelsDevOptions,
  priceCatalog,
  type TokenCounts,
  ValidationError,
} from "tollgate";
import { describe, expect, it } from "vitest";

const list = {
  openai: {
    id: "openai",
    models: {
      "gpt-4o": {
        cost: { input: 2.5, output: 10, cache_read: 1.25 },
        limit: { context: 128_000, output: 16_384 },
      },
      "gpt-5.5": {
        cost: {
          input: 5,
          output: 30,
          cache_read: 0.5,
          reasoning: 40,
          input_audio: 50,
          output_audio: 60,
          cache_write: 6.25,
          tiers: [
            { input: 10, output: 45, cache_read: 1, tier: { type: "context", size: 272_000 } },
            { input: 99, output: 99, tier: { type: "volume", size: 5 } },
          ],
          context_over_200k: { input: 98, output: 98 },
        },
      },
    },
  },
  azure: { models: { "gpt-4o": { cost: { input: 3, output: 12 } } } },
  google: {
    models: {
      "gemini-3-pro": { cost: { input: 2, output: 12, context_over_200k: { input: 4, output: 18 } } },
    },
  },
  xai: {
    models: {
      "grok-4": { cost: { input: 3, output: 15, context_over_200k: { input: 6, output: 30 } } },
      "grok-5": {
        cost: {
          input: 2,
          output: 6,
          tiers: [{ input: 4, output: 12, tier: { type: "context", size: 200_000 } }],
        },
      },
    },
  },
  local: { models: { llama: { name: "Llama" }, free: { cost: { input: 0, output: 0 } } } },
};

function cost(name: string, tokens: Partial<TokenCounts>, options?: ModelsDevOptions): number | undefined {
  const price = priceCatalog.fromModelsDev(list, options).price(name);
  return price && costNanoUsd(price, { inputTokens: 0, outputTokens: 0, ...tokens });
}

describe("priceCatalog.fromModelsDev", () => {
  it("takes reasoning that is as dear as the output for no price of its own, above 200,000 tokens too", () => {
    const prices = { input: 2, output: 12, reasoning: 12, context_over_200k: { input: 4, output: 18 } };
    const price = priceCatalog.fromModelsDev({ p: { models: { m: { cost: prices } } } }).price("m");
    const tokens = { inputTokens: 200_001, outputTokens: 1, reasoningTokens: 1 };
    expect(price && costNanoUsd(price, tokens)).toBe(200_001 * 4_000 + 18_000);
  });

  it("prices each kind of token in US dollars per million", () => {
    const nano = (tokens: Partial<TokenCounts>) => cost("gpt-5.5", tokens);
    expect(nano({ inputTokens: 1 })).toBe(5_000);
    expect(nano({ inputTokens: 1, cachedInputTokens: 1 })).toBe(500);
    expect(nano({ inputTokens: 1, cacheWriteTokens: 1 })).toBe(6_250);
    expect(nano({ inputTokens: 1, audioInputTokens: 1 })).toBe(50_000);
    expect(nano({ outputTokens: 1 })).toBe(30_000);
    expect(nano({ outputTokens: 1, reasoningTokens: 1 })).toBe(40_000);
    expect(nano({ outputTokens: 1, audioOutputTokens: 1 })).toBe(60_000);
  });

  it("reads tiers by context, before the older context_over_200k", () => {
    expect(cost("gpt-5.5", { inputTokens: 272_000 })).toBe(272_000 * 5_000);
    expect(cost("gpt-5.5", { inputTokens: 272_001, outputTokens: 1 })).toBe(272_001 * 10_000 + 45_000);
    expect(cost("gemini-3-pro", { inputTokens: 200_000 })).toBe(200_000 * 2_000);
    expect(cost("gemini-3-pro", { inputTokens: 200_001 })).toBe(200_001 * 4_000);
  });

  it("has a tier of xAI's hold from its threshold on, as xAI does", () => {
    const costs = ["grok-4", "grok-5"].map((model) =>
      [199_999, 200_000].map((inputTokens) => Number(cost(model, { inputTokens })) / inputTokens),
    );
    expect(costs).toEqual([
      [3_000, 6_000],
      [2_000, 4_000],
    ]);
  });

  it("keeps the most tokens that a model answers with", () => {
    const catalog = priceCatalog.fromModelsDev(list);
    expect(catalog.price("openai/gpt-4o")?.maxOutputTokens).toBe(16_384);
    expect(catalog.price("azure/gpt-4o")?.maxOutputTokens).toBeUndefined();
  });

  it("finds a model by provider and id, and by its id alone where that is one model", () => {
    const catalog = priceCatalog.fromModelsDev(list);
    expect(catalog.price("azure/gpt-4o")?.entry).toBe("azure/gpt-4o");
    expect(catalog.price("gpt-5.5")?.entry).toBe("openai/gpt-5.5");
    expect(catalog.price("gpt-4o")).toBeUndefined();
    expect(catalog.price("llama")).toBeUndefined();
    expect(cost("free", { inputTokens: 5 })).toBe(0);
  });

  it("takes the first of the providers that are named for an id that several have, and no other provider", () => {
    const catalog = priceCatalog.fromModelsDev(list, { providers: ["azure", "openai"] });
    expect(catalog.price("gpt-4o")?.entry).toBe("azure/gpt-4o");
    expect(catalog.price("openai/gpt-4o")?.entry).toBe("openai/gpt-4o");
    expect(catalog.price("google/gemini-3-pro")).toBeUndefined();
    expect(() => priceCatalog.fromModelsDev(list, { providers: ["nobody"] })).toThrow(
      "prices.nobody: a provider",
    );
  });

  it.each<[object, string]>([
    [{ input: -1, output: 1 }, "prices.p.models.m.cost.input"],
    [{ input: 1, output: "1" }, "prices.p.models.m.cost.output"],
    [{ input: 1 }, "prices.p.models.m.cost.output"],
    [{ output: 1 }, "prices.p.models.m.cost.input"],
    [{ input: 1, output: 1, cache_read: null }, "prices.p.models.m.cost.cache_read"],
    [
      { input: 1, output: 1, tiers: [{ input: Number.NaN, tier: { type: "context", size: 5 } }] },
      "prices.p.models.m.cost.tiers[0].input",
    ],
    [
      { input: 1, output: 1, tiers: [{ input: 1, tier: { type: "context", size: -1 } }] },
      "prices.p.models.m.cost.tiers[0].tier.size",
    ],
    [
      { input: 1, output: 1, tiers: [{ input: 1, tier: { type: "context", size: 1.5 } }] },
      "prices.p.models.m.cost.tiers[0].tier.size",
    ],
    [{ input: 1, output: 1, tiers: {} }, "prices.p.models.m.cost.tiers"],
    [
      { input: 1, output: 1, tiers: [{ input: 1, tier: { type: "context" } }] },
      "prices.p.models.m.cost.tiers[0].tier.size",
    ],
    [{ input: 1, output: 1, context_over_200k: 5 }, "prices.p.models.m.cost.context_over_200k"],
  ])("refuses %j and names %s", (prices, field) => {
    const load = () => priceCatalog.fromModelsDev({ p: { models: { m: { cost: prices } } } });
    expect(load).toThrow(ValidationError);
    expect(load).toThrow(new RegExp(`^${field.replace(/[.[\]]/g, "\\$&")}: `));
  });
});
