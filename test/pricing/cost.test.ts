import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { usdOf } from "../../src/model/money.js";
import { modelPrice } from "../../src/pricing/compile.js";
import { costNanoUsd, type TokenCounts } from "../../src/pricing/cost.js";
import type { PriceInput, RatesInput } from "../../src/pricing/price.js";
import { priceInputs, priceInputsWithoutTiers, tokenCounts } from "./arbitraries.js";

/** Decimals as integers of 10^-60 US dollars: wide enough for every price the tests write. */
const PLACES = 60;

function wide(usd: number | string): bigint {
  const [mantissa = "", exponent = "0"] = String(usd).split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(PLACES - fraction.length + Number(exponent));
}

/** The specification: what the documentation of prices says, as fractions of whole numbers. */
function specCost(price: PriceInput, tokens: TokenCounts): number {
  const count = (tokens: number | undefined) => BigInt(tokens ?? 0);
  const rest = (whole: number, ...parts: readonly (number | undefined)[]) => {
    const sum = parts.reduce((total, part) => total + count(part), 0n);
    return count(whole) > sum ? [count(whole) - sum, count(whole)] : [0n, sum];
  };
  const { cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens, audioInputTokens, imageInputTokens } =
    tokens;
  const inputParts = [
    ...[cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens],
    ...[audioInputTokens, imageInputTokens],
  ];
  const [plainInput = 0n, prompt = 0n] = rest(tokens.inputTokens, ...inputParts);
  const { reasoningTokens, audioOutputTokens, imageOutputTokens } = tokens;
  const [plainOutput = 0n] = rest(tokens.outputTokens, reasoningTokens, audioOutputTokens, imageOutputTokens);

  let tier: RatesInput = {};
  let above = -1;
  for (const candidate of price.tiers ?? []) {
    if (prompt > candidate.aboveInputTokens && candidate.aboveInputTokens > above) {
      tier = candidate;
      above = candidate.aboveInputTokens;
    }
  }
  const written = (name: keyof RatesInput) => tier[name] ?? price[name];
  const input = written("inputUsdPerMillion") ?? 0;
  const output = written("outputUsdPerMillion") ?? 0;
  const cacheWrite = written("cacheWriteUsdPerMillion") ?? input;

  const million =
    plainInput * wide(input) +
    count(cachedInputTokens) * wide(written("cachedInputUsdPerMillion") ?? input) +
    count(cacheWriteTokens) * wide(cacheWrite) +
    count(cacheWrite1hTokens) * wide(written("cacheWrite1hUsdPerMillion") ?? cacheWrite) +
    count(audioInputTokens) * wide(written("audioInputUsdPerMillion") ?? input) +
    count(imageInputTokens) * wide(written("imageInputUsdPerMillion") ?? input) +
    plainOutput * wide(output) +
    count(reasoningTokens) * wide(written("reasoningUsdPerMillion") ?? output) +
    count(audioOutputTokens) * wide(written("audioOutputUsdPerMillion") ?? output) +
    count(imageOutputTokens) * wide(written("imageOutputUsdPerMillion") ?? output) +
    1_000_000n *
      (count(tokens.inputImages) * wide(written("usdPerInputImage") ?? 0) +
        count(tokens.outputImages) * wide(written("usdPerOutputImage") ?? 0) +
        count(tokens.searches) * wide(written("usdPerSearch") ?? 0) +
        wide(written("usdPerRequest") ?? 0));
  const numerator = million * 1_000n;
  const denominator = 10n ** BigInt(PLACES);
  const nano = numerator / denominator + (numerator % denominator > 0n ? 1n : 0n);
  return nano > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(nano);
}

describe("costNanoUsd", () => {
  test("law: equals rational arithmetic rounded up once, for any prices, tiers and usage", () => {
    fc.assert(
      fc.property(priceInputs, tokenCounts, (price, tokens) => {
        expect(costNanoUsd(modelPrice(price), tokens)).toBe(specCost(price, tokens));
      }),
      { numRuns: 4_000 },
    );
  });

  test("law: more tokens of any kind never cost less within a tier", () => {
    const grown = (tokens: TokenCounts, by: TokenCounts): TokenCounts => {
      const cached = by.cachedInputTokens ?? 0;
      const write = by.cacheWriteTokens ?? 0;
      const write1h = by.cacheWrite1hTokens ?? 0;
      const reasoning = by.reasoningTokens ?? 0;
      return {
        inputTokens: tokens.inputTokens + by.inputTokens + cached + write + write1h,
        cachedInputTokens: (tokens.cachedInputTokens ?? 0) + cached,
        cacheWriteTokens: (tokens.cacheWriteTokens ?? 0) + write,
        cacheWrite1hTokens: (tokens.cacheWrite1hTokens ?? 0) + write1h,
        outputTokens: tokens.outputTokens + by.outputTokens + reasoning,
        reasoningTokens: (tokens.reasoningTokens ?? 0) + reasoning,
      };
    };
    fc.assert(
      fc.property(priceInputsWithoutTiers, tokenCounts, tokenCounts, (input, tokens, more) => {
        const price = modelPrice(input);
        // Parts that exceed their whole would take the growth of the whole for themselves.
        const whole = grown({ inputTokens: 0, outputTokens: 0 }, tokens);
        expect(costNanoUsd(price, grown(whole, more))).toBeGreaterThanOrEqual(costNanoUsd(price, whole));
      }),
      { numRuns: 1_500 },
    );
  });

  test("law: a free model costs zero, whatever the usage", () => {
    const free = modelPrice({ inputUsdPerMillion: 0, outputUsdPerMillion: "0.00" });
    fc.assert(fc.property(tokenCounts, (tokens) => Object.is(costNanoUsd(free, tokens), 0)));
  });

  it("is zero for a usage of zero", () => {
    const price = modelPrice({ inputUsdPerMillion: 3, outputUsdPerMillion: "15.0001" });
    expect(costNanoUsd(price, { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0 })).toBe(0);
  });

  it("charges a request without tokens its price per request", () => {
    const price = modelPrice({ inputUsdPerMillion: 0, outputUsdPerMillion: 0, usdPerRequest: "0.005" });
    expect(costNanoUsd(price, { inputTokens: 0, outputTokens: 0 })).toBe(5_000_000);
  });

  it("costs 0.00055 US dollars, not 0.00054999999999995 (litellm#36592)", () => {
    const price = modelPrice({ inputUsdPerMillion: 0.1, outputUsdPerMillion: 0.4 });
    const cost = costNanoUsd(price, { inputTokens: 1_500, outputTokens: 1_000 });
    expect(cost).toBe(550_000);
    expect(usdOf(cost)).toBe(0.00055);
  });

  it("rounds up once per call, not once per kind of token", () => {
    const price = modelPrice({
      inputUsdPerMillion: "0.0001",
      outputUsdPerMillion: "0.0001",
      cachedInputUsdPerMillion: "0.0001",
    });
    // 0.1 nano-USD for each of the three tokens.
    expect(costNanoUsd(price, { inputTokens: 2, cachedInputTokens: 1, outputTokens: 1 })).toBe(1);
    expect(costNanoUsd(price, { inputTokens: 11, cachedInputTokens: 1, outputTokens: 1 })).toBe(2);
  });

  it("counts cached tokens once, as a part of the input", () => {
    const price = modelPrice({
      inputUsdPerMillion: 3,
      outputUsdPerMillion: 15,
      cachedInputUsdPerMillion: "0.3",
      cacheWriteUsdPerMillion: 3.75,
      cacheWrite1hUsdPerMillion: 6,
      reasoningUsdPerMillion: 20,
    });
    const cost = costNanoUsd(price, {
      inputTokens: 10_000,
      cachedInputTokens: 4_000,
      cacheWriteTokens: 3_000,
      cacheWrite1hTokens: 2_000,
      outputTokens: 500,
      reasoningTokens: 200,
    });
    expect(cost).toBe(
      1_000 * 3_000 + 4_000 * 300 + 3_000 * 3_750 + 2_000 * 6_000 + 300 * 15_000 + 200 * 20_000,
    );
  });

  it("prices parts that exceed their whole as they are, and the rest of the whole at nothing", () => {
    const price = modelPrice({
      inputUsdPerMillion: 1,
      outputUsdPerMillion: 1,
      cachedInputUsdPerMillion: "0.5",
    });
    expect(costNanoUsd(price, { inputTokens: 5, cachedInputTokens: 10, outputTokens: 0 })).toBe(5_000);
    expect(costNanoUsd(price, { inputTokens: 0, outputTokens: 5, reasoningTokens: 10 })).toBe(10_000);
  });

  it("stops at the largest safe integer", () => {
    const price = modelPrice({ inputUsdPerMillion: 9_000_000, outputUsdPerMillion: 9_000_000 });
    const tokens = { inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: Number.MAX_SAFE_INTEGER };
    expect(costNanoUsd(price, tokens)).toBe(Number.MAX_SAFE_INTEGER);
    expect(costNanoUsd(price, { inputTokens: 1_000_000, outputTokens: 0 })).toBe(9_000_000_000_000_000);
  });

  it("is exact where the sum is beyond a double but the cost is not", () => {
    const price = modelPrice({ inputUsdPerMillion: "2.00000000000001", outputUsdPerMillion: "3" });
    // 1,500,000 tokens at 2000.00000000001 nano-USD: 3e20 in parts of 1e-11.
    expect(costNanoUsd(price, { inputTokens: 1_500_000, outputTokens: 0 })).toBe(3_000_000_001);
  });
});

describe("a tier above 272,000 input tokens (litellm PR 40002)", () => {
  const price = modelPrice({
    inputUsdPerMillion: "2.5",
    outputUsdPerMillion: 15,
    cachedInputUsdPerMillion: "0.25",
    tiers: [{ aboveInputTokens: 272_000, inputUsdPerMillion: 5, outputUsdPerMillion: "22.5" }],
  });

  it("leaves a prompt of 272,000 tokens at the base price", () => {
    expect(costNanoUsd(price, { inputTokens: 272_000, outputTokens: 100 })).toBe(
      272_000 * 2_500 + 100 * 15_000,
    );
  });

  it("prices all of a prompt of 272,001 tokens, and its answer, at the tier", () => {
    expect(costNanoUsd(price, { inputTokens: 272_001, outputTokens: 100 })).toBe(
      272_001 * 5_000 + 100 * 22_500,
    );
  });

  it("counts cached tokens towards the tier, at the cached price that the base writes", () => {
    expect(costNanoUsd(price, { inputTokens: 300_000, cachedInputTokens: 200_000, outputTokens: 0 })).toBe(
      100_000 * 5_000 + 200_000 * 250,
    );
  });

  it("takes the highest of several tiers that the prompt exceeds, in whatever order they are written", () => {
    const tiered = modelPrice({
      inputUsdPerMillion: 1,
      outputUsdPerMillion: 0,
      tiers: [
        { aboveInputTokens: 300, inputUsdPerMillion: 4 },
        { aboveInputTokens: 100, inputUsdPerMillion: 2 },
        { aboveInputTokens: 200, inputUsdPerMillion: 3 },
      ],
    });
    const costs = [100, 101, 200, 201, 300, 301].map((inputTokens) =>
      costNanoUsd(tiered, { inputTokens, outputTokens: 0 }),
    );
    expect(costs).toEqual([100_000, 202_000, 400_000, 603_000, 900_000, 1_204_000]);
  });

  it("derives a default from the tier's own price where the base writes none", () => {
    const tiered = modelPrice({
      inputUsdPerMillion: 1,
      outputUsdPerMillion: 1,
      tiers: [{ aboveInputTokens: 0, inputUsdPerMillion: 2, outputUsdPerMillion: 3 }],
    });
    expect(
      costNanoUsd(tiered, { inputTokens: 1, cachedInputTokens: 1, outputTokens: 1, reasoningTokens: 1 }),
    ).toBe(5_000);
  });
});

describe("a service tier with prices of its own for long prompts", () => {
  const price = (serviceTier: object, tiers: NonNullable<PriceInput["tiers"]>) =>
    modelPrice({
      inputUsdPerMillion: 1,
      outputUsdPerMillion: 1,
      tiers,
      serviceTiers: { priority: { inputUsdPerMillion: 2, outputUsdPerMillion: 3, ...serviceTier } },
    });
  /** What a token of a prompt of so many costs, and one of its output. */
  const rates = (of: ReturnType<typeof price>, inputTokens: number) => {
    const cost = (outputTokens: number) =>
      costNanoUsd(of, { inputTokens, outputTokens, serviceTier: "priority" });
    return [cost(0) / inputTokens / 1_000, (cost(1) - cost(0)) / 1_000];
  };

  it("keeps them above the next threshold of the standard tier", () => {
    const own = { tiers: [{ aboveInputTokens: 200, inputUsdPerMillion: 4, outputUsdPerMillion: 5 }] };
    const of = price(own, [{ aboveInputTokens: 256, inputUsdPerMillion: 2, outputUsdPerMillion: 2 }]);
    expect([200, 201, 256, 257].map((tokens) => rates(of, tokens))).toEqual([
      [2, 3],
      [4, 5],
      [4, 5],
      [4, 5],
    ]);
  });

  it("has what they leave out from the standard tier of that prompt, and only then from its own base", () => {
    const own = { tiers: [{ aboveInputTokens: 200, inputUsdPerMillion: 4 }] };
    const later = price(own, [{ aboveInputTokens: 256, inputUsdPerMillion: 2, outputUsdPerMillion: 7 }]);
    expect(rates(later, 201)).toEqual([4, 3]);
    expect(rates(later, 257)).toEqual([4, 7]);
    const earlier = price(own, [{ aboveInputTokens: 128, inputUsdPerMillion: 2, outputUsdPerMillion: 7 }]);
    expect(rates(earlier, 129)).toEqual([2, 7]);
    expect(rates(earlier, 201)).toEqual([4, 7]);
  });

  it("takes of each only the highest that the prompt exceeds", () => {
    const tiers = [
      { aboveInputTokens: 100, inputUsdPerMillion: 4, outputUsdPerMillion: 5 },
      { aboveInputTokens: 200, inputUsdPerMillion: 6 },
    ];
    expect(rates(price({ tiers }, [{ aboveInputTokens: 256, inputUsdPerMillion: 2 }]), 257)).toEqual([6, 3]);
    expect(rates(price({}, tiers), 201)).toEqual([6, 3]);
  });
});

describe("a service tier", () => {
  const base = { inputUsdPerMillion: 1, outputUsdPerMillion: 2 };
  const batch = { inputTokens: 1_001, outputTokens: 0, serviceTier: "batch" };

  it("may have more decimals than the rest of the price", () => {
    const price = modelPrice({ ...base, serviceTiers: { batch: { inputUsdPerMillion: "0.0001" } } });
    expect(costNanoUsd(price, batch)).toBe(101);
  });

  it("leaves out what is written as undefined", () => {
    const price = modelPrice({ ...base, serviceTiers: { batch: { inputUsdPerMillion: undefined } } });
    expect(costNanoUsd(price, batch)).toBe(1_001_000);
  });
});

describe("the service tier fast", () => {
  const plain = { inputUsdPerMillion: 1, outputUsdPerMillion: 2 };
  const cost = (tiers: readonly string[], serviceTier: string) => {
    const prices = { priority: { outputUsdPerMillion: 4 }, fast: { outputUsdPerMillion: 12 } };
    const serviceTiers = Object.fromEntries(Object.entries(prices).filter(([name]) => tiers.includes(name)));
    const tokens = { inputTokens: 0, outputTokens: 1, serviceTier };
    return costNanoUsd(modelPrice({ ...plain, serviceTiers }), tokens);
  };

  it("has its own price, else that of priority, else the standard price", () => {
    expect(cost(["priority", "fast"], "fast")).toBe(12_000);
    expect(cost(["priority"], "fast")).toBe(4_000);
    expect(cost([], "fast")).toBe(2_000);
  });

  it("is not what priority costs where that has no price", () => {
    expect(cost(["fast"], "priority")).toBe(2_000);
  });
});
