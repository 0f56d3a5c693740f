import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { type PriceCatalog, priceCatalog } from "../../src/pricing/catalog.js";
import { costNanoUsd } from "../../src/pricing/cost.js";
import type { PriceInput } from "../../src/pricing/price.js";
import { anyString } from "../any-string.js";

const cheap = { inputUsdPerMillion: 1, outputUsdPerMillion: 2 };
const dear = { inputUsdPerMillion: 10, outputUsdPerMillion: 20 };

/** Nano-USD of one input token: tells the two prices apart. */
function inputPrice(catalog: PriceCatalog, model: string): number | undefined {
  const price = catalog.price(model);
  return price && costNanoUsd(price, { inputTokens: 1, outputTokens: 0 });
}

/** What `of` says of input from a caller without types. */
function problemsOf(prices: unknown): string[] {
  try {
    // The cast stands for a caller without types.
    priceCatalog.of(prices as Record<string, PriceInput>);
  } catch (error) {
    if (error instanceof ValidationError)
      return error.problems.map(({ field, expected }) => `${field}: ${expected}`);
    throw error;
  }
  return [];
}

describe("priceCatalog.of", () => {
  it("finds a model by its exact id, and no other", () => {
    const catalog = priceCatalog.of({ "gpt-4o": cheap });
    expect(inputPrice(catalog, "gpt-4o")).toBe(1_000);
    for (const other of [
      "GPT-4o",
      "gpt-4o ",
      "openai/gpt-4o",
      "gpt-4",
      "",
      "constructor",
      "__proto__",
      "toString",
    ]) {
      expect(catalog.price(other)).toBeUndefined();
    }
  });

  test("law: every string is an ordinary model id", () => {
    const ids = fc.oneof(
      fc.constantFrom(
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "",
        "0",
        "\ud800",
        "x".repeat(10_000),
      ),
      anyString(),
    );
    fc.assert(
      fc.property(fc.uniqueArray(ids, { minLength: 1 }), ids, (models, other) => {
        const catalog = priceCatalog.of(Object.fromEntries(models.map((model) => [model, cheap])));
        for (const model of models) expect(inputPrice(catalog, model)).toBe(1_000);
        expect(catalog.price(other) !== undefined).toBe(models.includes(other));
      }),
    );
  });

  it("keeps the most tokens a model answers with", () => {
    const catalog = priceCatalog.of({ a: { ...cheap, maxOutputTokens: 8_192 }, b: cheap });
    expect(catalog.price("a")?.maxOutputTokens).toBe(8_192);
    expect(catalog.price("b")?.maxOutputTokens).toBeUndefined();
  });

  it("names model and field of every field it does not know", () => {
    expect(
      problemsOf({
        a: { ...cheap, inputCostPerToken: 1 },
        b: { ...cheap, tiers: [{ aboveInputTokens: 1, inputUsdPerMilion: 3 }] },
        c: JSON.parse('{"inputUsdPerMillion":1,"outputUsdPerMillion":1,"__proto__":{}}'),
      }),
    ).toEqual([
      "prices.a.inputCostPerToken: no such field",
      "prices.b.tiers[0].inputUsdPerMilion: no such field",
      "prices.c.__proto__: no such field",
    ]);
  });

  const usd = "a non-negative amount of US dollars, at most 9,000,000";
  it.each<[unknown, string]>([
    [{ m: { inputUsdPerMillion: -1, outputUsdPerMillion: 1 } }, `prices.m.inputUsdPerMillion: ${usd}`],
    [
      { m: { inputUsdPerMillion: Number.NaN, outputUsdPerMillion: 1 } },
      `prices.m.inputUsdPerMillion: ${usd}`,
    ],
    [{ m: { inputUsdPerMillion: "free", outputUsdPerMillion: 1 } }, `prices.m.inputUsdPerMillion: ${usd}`],
    [{ m: { inputUsdPerMillion: 1 } }, `prices.m.outputUsdPerMillion: ${usd}`],
    [{ m: { ...cheap, usdPerRequest: null } }, `prices.m.usdPerRequest: ${usd}`],
    [
      { m: { ...cheap, reasoningUsdPerMillion: `0.${"0".repeat(40)}1` } },
      "prices.m.reasoningUsdPerMillion: a price with at most 40 decimals",
    ],
    [
      { m: { ...cheap, maxOutputTokens: 0 } },
      "prices.m.maxOutputTokens: a whole number of tokens, at least 1",
    ],
    [{ m: { ...cheap, maxOutputTokens: "8k" } }, "prices.m.maxOutputTokens: a whole number of tokens"],
    [
      { m: { ...cheap, tiers: [{ aboveInputTokens: -1 }] } },
      "prices.m.tiers[0].aboveInputTokens: a whole number of tokens, not negative",
    ],
    [
      { m: { ...cheap, tiers: [{ aboveInputTokens: 5 }, { aboveInputTokens: 5 }] } },
      "prices.m.tiers: tiers that differ in aboveInputTokens",
    ],
    [{ m: null }, "prices.m: expected object, received null"],
    [null, "prices: prices by model id"],
    [[cheap], "prices: prices by model id"],
    ["gpt-4o", "prices: prices by model id"],
  ])("refuses %j", (prices, problem) => {
    expect(problemsOf(prices)).toEqual([problem]);
  });

  it("does not change when its input is changed later", () => {
    const prices = { m: { ...cheap } };
    const catalog = priceCatalog.of(prices);
    prices.m.inputUsdPerMillion = 0;
    expect(inputPrice(catalog, "m")).toBe(1_000);
  });
});

describe("a price list that is none", () => {
  const ofLiteLLM = {
    "gpt-4o": { litellm_provider: "openai", input_cost_per_token: 1, output_cost_per_token: 1 },
  };
  const ofModelsDev = { openai: { id: "openai", models: { "gpt-4o": { cost: { input: 1, output: 1 } } } } };

  // As an empty catalog it would make every call unpriced: refused, or free.
  it("is refused where it is the other form", () => {
    expect(() => priceCatalog.fromModelsDev(ofLiteLLM)).toThrow("prices.gpt-4o.models: models by id");
    expect(() => priceCatalog.fromLiteLLM(ofModelsDev)).toThrow(
      "prices.openai: the prices of a model; a provider with its models is of models.dev's list",
    );
  });

  it("is refused where it is an error that was sent in its place", () => {
    const error = { error: { message: "Too many requests" } };
    expect(() => priceCatalog.fromModelsDev(error)).toThrow("prices.error.models: models by id");
  });

  it.each(["of", "fromLiteLLM", "fromModelsDev"] as const)(
    "is refused by %s where it is still on its way",
    (make) => {
      const list = Promise.resolve(ofLiteLLM) as object as Record<string, PriceInput>; // as JavaScript allows
      expect(() => priceCatalog[make](list)).toThrow(/^prices: .*; await it if it is a promise$/);
    },
  );
});

describe("priceCatalog.merge", () => {
  it("lets the later catalog win, and falls back to the earlier ones", () => {
    const merged = priceCatalog.merge(
      priceCatalog.of({ a: cheap, b: cheap }),
      priceCatalog.of({ b: dear, c: dear }),
    );
    expect(["a", "b", "c", "d"].map((model) => inputPrice(merged, model))).toEqual([
      1_000,
      10_000,
      10_000,
      undefined,
    ]);
  });

  it("lets the later catalog win for every name that an earlier one has for the same entry", () => {
    const list = priceCatalog.fromLiteLLM({
      "gpt-4o": { litellm_provider: "openai", input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 },
      "azure/gpt-4o": { litellm_provider: "azure", input_cost_per_token: 2e-6, output_cost_per_token: 1e-6 },
    });
    const aliased = priceCatalog.withAliases(list, { smart: "gpt-4o" });
    const merged = priceCatalog.merge(aliased, priceCatalog.of({ "gpt-4o": dear, other: cheap }));
    const names = ["gpt-4o", "openai/gpt-4o", "smart", "azure/gpt-4o"];
    expect(names.map((name) => inputPrice(merged, name))).toEqual([10_000, 10_000, 10_000, 2_000]);
    expect(names.map((name) => merged.price(name)?.entry)).toEqual([
      "gpt-4o",
      "gpt-4o",
      "gpt-4o",
      "azure/gpt-4o",
    ]);
    const longer = priceCatalog.merge(merged, priceCatalog.of({ "openai/gpt-4o": cheap }));
    expect(names.map((name) => inputPrice(longer, name))).toEqual([10_000, 1_000, 10_000, 2_000]);
    const both = priceCatalog.merge(list, priceCatalog.of({ "gpt-4o": dear, "openai/gpt-4o": cheap }));
    expect(["gpt-4o", "openai/gpt-4o"].map((name) => inputPrice(both, name))).toEqual([10_000, 1_000]);
  });

  it("asks a catalog anew each time, so that one that changes is seen", () => {
    let current = priceCatalog.of({});
    const merged = priceCatalog.merge(priceCatalog.of({ a: cheap }), {
      price: (model) => current.price(model),
    });
    expect(inputPrice(merged, "a")).toBe(1_000);
    current = priceCatalog.of({ a: dear });
    expect(inputPrice(merged, "a")).toBe(10_000);
  });

  it("cannot take the place of one that it asks: every call would ask for ever", () => {
    const prices = priceCatalog.reloadable(
      priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } }),
    );
    const more = priceCatalog.of({ n: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } });
    expect(() => prices.replace(priceCatalog.merge(prices, more))).toThrow(
      /^catalog: a catalog that does not ask/,
    );
    expect(prices.price("m")).toBeDefined();
    expect(prices.price("n")).toBeUndefined();
  });

  it("cannot take the place of prices where it fails, and throws what it failed with", () => {
    const prices = priceCatalog.reloadable(priceCatalog.of({ a: cheap }));
    const error = new TypeError("not loaded");
    const fails = {
      price(): undefined {
        throw error;
      },
    };
    expect(() => prices.replace(fails)).toThrow(error);
    expect(inputPrice(prices, "a")).toBe(1_000);
  });

  it("of nothing is empty", () => {
    expect(priceCatalog.merge().price("a")).toBeUndefined();
  });

  it("refuses what is no catalog at once, such as a list of catalogs, rather than failing with every call", () => {
    const catalog = priceCatalog.of({ a: cheap });
    for (const wrong of [[catalog], undefined, { a: cheap }]) {
      expect(() => priceCatalog.merge(catalog, wrong as never)).toThrow("catalogs[1]: an object with price");
      expect(() => priceCatalog.withAliases(wrong as never, {})).toThrow("catalog: an object with price");
    }
  });
});
