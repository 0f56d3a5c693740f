import { describe, expect, it } from "vitest";
import { actualUse, type Estimate } from "../../src/admission/actual-use.js";
import type { Limits } from "../../src/model/limits.js";
import type { Actual, CallParts } from "../../src/model/usage.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import { limitsAt } from "../counters/limits.js";

/** Every kind of token and thing has a power of ten of nano-USD of its own, so that a cost shows what was counted. */
const OWN_DIGITS = {
  inputUsdPerMillion: 0.001,
  outputUsdPerMillion: 0.01,
  cachedInputUsdPerMillion: 0.1,
  cacheWriteUsdPerMillion: 1,
  cacheWrite1hUsdPerMillion: 10,
  audioInputUsdPerMillion: 100,
  imageInputUsdPerMillion: 1_000,
  reasoningUsdPerMillion: 10_000,
  audioOutputUsdPerMillion: 100_000,
  imageOutputUsdPerMillion: 1_000_000,
  usdPerInputImage: 10,
  usdPerOutputImage: 100,
  usdPerSearch: 1_000,
};

const prices = priceCatalog.of({
  m: { ...OWN_DIGITS, serviceTiers: { flex: { ...OWN_DIGITS, inputUsdPerMillion: 0.007 } } },
  fallback: { inputUsdPerMillion: 0.002, outputUsdPerMillion: 0 },
  nights: {
    inputUsdPerMillion: 0.003,
    outputUsdPerMillion: 0,
    offPeak: { inputUsdPerMillion: 0.001, windows: [{ hoursUtc: "00:00-06:00" }] },
  },
});
const pricing = { prices, unpriced: "deny" as const, estimate: () => 0 };

const NOON = Date.UTC(2026, 4, 15, 12);
const RESERVED: Estimate = {
  model: "m",
  models: ["m", "fallback", "unheard-of"],
  inputTokens: 20,
  outputTokens: 4,
  costNanoUsd: 77,
  byok: false,
};

const BUDGETED: Estimate = {
  ...RESERVED,
  charges: { limits: limitsAt("key", { budget: { usd: 1, reset: "daily" } }) },
};

/** Two of each input part and one of each output part, an image in and two out, three searches. */
const PARTS: CallParts = {
  cacheWriteTokens: 2,
  cacheWrite1hTokens: 2,
  audioInputTokens: 2,
  imageInputTokens: 2,
  audioOutputTokens: 1,
  imageOutputTokens: 1,
  inputImages: 1,
  outputImages: 2,
  searches: 3,
};

const used = (actual: Actual, estimate: Partial<Estimate> = {}, at = NOON) =>
  actualUse({ ...RESERVED, ...estimate }, actual, pricing, at);
const cost = (...asked: Parameters<typeof used>) => used(...asked).costNanoUsd;

describe("what a call has really used", () => {
  it("is one request and no slot, of the tokens that are told, at their price", () => {
    expect(used({ inputTokens: 9, outputTokens: 3 })).toEqual({
      requests: 1,
      inputTokens: 9,
      outputTokens: 3,
      costNanoUsd: 39,
      slots: 0,
      byok: false,
    });
  });

  it("stays as it was estimated where nothing is said, or only that the client hung up", () => {
    const estimated = {
      requests: 1,
      inputTokens: 20,
      outputTokens: 4,
      costNanoUsd: 77,
      slots: 0,
      byok: true,
    };
    for (const actual of [{}, { disconnected: true }, { outputTokens: undefined, model: undefined }]) {
      expect(used(actual, { byok: true })).toEqual(estimated);
    }
  });

  it("has as much input and output as its parts, where they are more than the whole", () => {
    expect(
      used({ inputTokens: 10, cachedInputTokens: 100, outputTokens: 5, reasoningTokens: 100 }),
    ).toMatchObject({
      inputTokens: 100,
      outputTokens: 100,
    });
    const output = { reasoningTokens: 3, audioOutputTokens: 2, imageOutputTokens: 1 };
    expect(used({ ...output, outputTokens: 5 }).outputTokens).toBe(6);
    expect(used({ ...output, outputTokens: 7 }).outputTokens).toBe(7);
  });

  it("is the estimated input with the told output, and the other way round", () => {
    expect(used({ outputTokens: 1 })).toMatchObject({ inputTokens: 20, outputTokens: 1, costNanoUsd: 30 });
    expect(used({ inputTokens: 1 })).toMatchObject({ inputTokens: 1, outputTokens: 4, costNanoUsd: 41 });
  });

  it("is nothing where zeros are told", () => {
    expect(used({ inputTokens: 0, outputTokens: 0 })).toMatchObject({
      inputTokens: 0,
      outputTokens: 0,
      costNanoUsd: 0,
    });
  });

  it("costs what is told, whatever else is", () => {
    expect(cost({ inputTokens: 9, outputTokens: 3, costUsd: "0.000000005" })).toBe(5);
    expect(cost({ costUsd: 0 })).toBe(0);
  });

  it("has each part that is told at its own price", () => {
    const told = { inputTokens: 20, outputTokens: 9 };
    expect(cost(told)).toBe(110);
    expect(cost({ ...told, cachedInputTokens: 1 })).toBe(110 - 1 + 100);
    expect(cost({ ...told, cacheWriteTokens: 1 })).toBe(110 - 1 + 1_000);
    expect(cost({ ...told, cacheWrite1hTokens: 1 })).toBe(110 - 1 + 10_000);
    expect(cost({ ...told, audioInputTokens: 1 })).toBe(110 - 1 + 100_000);
    expect(cost({ ...told, imageInputTokens: 1 })).toBe(110 - 1 + 1_000_000);
    expect(cost({ ...told, reasoningTokens: 1 })).toBe(110 - 10 + 10_000_000);
    expect(cost({ ...told, audioOutputTokens: 1 })).toBe(110 - 10 + 100_000_000);
    expect(cost({ ...told, imageOutputTokens: 1 })).toBe(110 - 10 + 1_000_000_000);
    expect(cost({ ...told, inputImages: 1 })).toBe(110 + 10_000_000_000);
    expect(cost({ ...told, outputImages: 1 })).toBe(110 + 100_000_000_000);
    expect(cost({ ...told, searches: 1 })).toBe(110 + 1_000_000_000_000);
    expect(cost({ ...told, serviceTier: "flex" })).toBe(20 * 7 + 90);
  });

  it("has at least the input that its parts come to together", () => {
    const parts = {
      cachedInputTokens: 1,
      cacheWriteTokens: 20,
      cacheWrite1hTokens: 300,
      audioInputTokens: 4_000,
      imageInputTokens: 50_000,
    };
    expect(used({ inputTokens: 54_320, ...parts }).inputTokens).toBe(54_321);
    expect(used({ inputTokens: 54_322, ...parts }).inputTokens).toBe(54_322);
  });
});

describe("the parts that were estimated", () => {
  const parts = 20 - 8 + 2 * 1_111_000;
  const outputs = 2 * 10 + 1_100_000_000;
  const things = 10_000_000_000 + 2 * 100_000_000_000 + 3 * 1_000_000_000_000;

  it("stay where the tokens that they are part of are not told", () => {
    expect(cost({ model: "m" }, { parts: PARTS })).toBe(parts + outputs + things);
  });

  it("of the input go with an input that is told", () => {
    expect(cost({ inputTokens: 20 }, { parts: PARTS })).toBe(20 + outputs + things);
  });

  it("of the output go with an output that is told", () => {
    expect(cost({ outputTokens: 4 }, { parts: PARTS })).toBe(parts + 40 + things);
  });

  it("give way to what is told of them, zeros too, one by one", () => {
    const none = Object.fromEntries(Object.keys(PARTS).map((part) => [part, 0]));
    expect(cost(none, { parts: PARTS })).toBe(20 + 40);
    const expected = parts + outputs + things;
    const shares: readonly [keyof CallParts, number][] = [
      ["cacheWriteTokens", 2 * 1_000 - 2],
      ["cacheWrite1hTokens", 2 * 10_000 - 2],
      ["audioInputTokens", 2 * 100_000 - 2],
      ["imageInputTokens", 2 * 1_000_000 - 2],
      ["audioOutputTokens", 100_000_000 - 10],
      ["imageOutputTokens", 1_000_000_000 - 10],
      ["inputImages", 10_000_000_000],
      ["outputImages", 2 * 100_000_000_000],
      ["searches", 3 * 1_000_000_000_000],
    ];
    for (const [part, share] of shares) expect(cost({ [part]: 0 }, { parts: PARTS })).toBe(expected - share);
  });

  it("are images by the piece or by the tokens that are told of them, whichever is dearer, and never both", () => {
    const text = 2 * 10; // of four tokens of output, two are images
    const told = { inputTokens: 0, outputTokens: 4, imageOutputTokens: 2 };
    const two = { parts: { outputImages: 2 } };
    expect(cost(told, two)).toBe(text + 2 * 100_000_000_000);
    expect(cost({ ...told, imageOutputTokens: 400, outputTokens: 402 }, two)).toBe(
      text + 400 * 1_000_000_000,
    );
    // Said of the same call, both are meant.
    expect(cost({ ...told, outputImages: 2 }, two)).toBe(text + 2 * 1_000_000_000 + 2 * 100_000_000_000);
    expect(cost({ ...told, imageOutputTokens: 0 }, two)).toBe(40 + 2 * 100_000_000_000);
  });

  it("have the service tier that was asked for, or the one that is told", () => {
    const flex: Partial<Estimate> = { parts: { serviceTier: "flex" } };
    expect(cost({ inputTokens: 10, outputTokens: 0 }, flex)).toBe(70);
    expect(cost({ inputTokens: 10, outputTokens: 0, serviceTier: "default" }, flex)).toBe(10);
  });
});

describe("the price of what was used", () => {
  it("is that of the model that answered, and of the one reserved for where that has none", () => {
    expect(cost({ model: "fallback", inputTokens: 5, outputTokens: 0 })).toBe(10);
    expect(cost({ model: "m-2026-05-15", inputTokens: 5, outputTokens: 0 })).toBe(5);
    expect(cost({ model: "fallback", inputTokens: 5 }, { model: undefined })).toBe(10);
  });

  it("leaves the cost as it was estimated where no model is known, or none has a price", () => {
    expect(cost({ inputTokens: 5, outputTokens: 0 }, { model: undefined })).toBe(77);
    expect(cost({ model: "unheard-of", inputTokens: 5 }, { model: undefined })).toBe(77);
    const alone = { model: "unheard-of", models: ["unheard-of"] };
    expect(cost({ inputTokens: 5, outputTokens: 0 }, alone)).toBe(77);
  });

  it("of a fallback to a target without one is what `unpriced` says, if that is an amount", () => {
    const flat = { ...pricing, unpriced: 5_000 };
    const priced = (model: string) =>
      actualUse(BUDGETED, { model, inputTokens: 5, outputTokens: 0 }, flat, NOON);
    expect(priced("unheard-of").costNanoUsd).toBe(5_000);
    expect(priced("m-2026-05-15").costNanoUsd).toBe(5);
    expect(cost({ model: "unheard-of", inputTokens: 5, outputTokens: 0 })).toBe(5);
  });

  it("of the first of several targets without one is what `unpriced` says, not that of the dearest", () => {
    const first = { ...BUDGETED, model: "unheard-of" };
    const priced = (unpriced: number, actual: Actual, estimate: Estimate = first) =>
      actualUse(estimate, actual, { ...pricing, unpriced }, NOON).costNanoUsd;
    for (const unpriced of [0, 5_000]) {
      expect(priced(unpriced, { inputTokens: 5, outputTokens: 0 })).toBe(unpriced);
      expect(priced(unpriced, { model: "unheard-of", inputTokens: 5 })).toBe(unpriced);
      expect(priced(unpriced, { model: "m", inputTokens: 5, outputTokens: 0 })).toBe(5);
      expect(priced(unpriced, {})).toBe(77);
      expect(priced(unpriced, { inputTokens: 5 }, { ...first, models: ["unheard-of"] })).toBe(77);
    }
  });

  it("of one of several without one is nothing where no budget counts it, whatever `unpriced` says, as it was reserved", () => {
    const priced = (limits: Limits | undefined, more: Partial<Estimate> = {}) => {
      const charges = limits && { limits: limitsAt("key", limits) };
      const estimate = { ...RESERVED, charges, ...more };
      const actual = { model: "unheard-of", inputTokens: 5, outputTokens: 0 };
      return actualUse(estimate, actual, { ...pricing, unpriced: 5_000 }, NOON).costNanoUsd;
    };
    const budget = { usd: 1, reset: "never" } as const;
    expect(priced({ budget })).toBe(5_000);
    expect(priced({ budget, mode: "shadow" })).toBe(5_000);
    expect(priced({ rpm: 1 })).toBe(0);
    expect(priced(undefined)).toBe(0);
    expect(priced({ budget }, { byok: true })).toBe(0);
    expect(priced({ budget: { ...budget, countByok: true } }, { byok: true })).toBe(5_000);
    // Nobody knows what would have counted it.
    expect(priced({}, { degraded: "uncounted" })).toBe(5_000);
  });

  it("of the first of several without one is nothing under `deny`, unless a budget applies", () => {
    const first = { model: "unheard-of", models: ["unheard-of", "m"] };
    expect(cost({ inputTokens: 5 }, first)).toBe(0);
    expect(cost({ inputTokens: 5 }, { ...first, models: ["unheard-of"] })).toBe(77);

    const budget = { budget: { usd: 1, reset: "never" } } as const;
    const chargedTo = (limits: Limits, byok = false) =>
      cost({ inputTokens: 5 }, { ...first, byok, charges: { limits: limitsAt("key", limits) } });
    expect(chargedTo({ ...budget, rpm: 1 })).toBe(77);
    expect(chargedTo({ rpm: 1 })).toBe(0);
    expect(chargedTo({ ...budget, mode: "shadow" })).toBe(0);
    expect(chargedTo(budget, true)).toBe(0);
    expect(chargedTo({ budget: { ...budget.budget, countByok: true } }, true)).toBe(77);
  });

  it("is asked for by name, and not where there is none", () => {
    const asked: unknown[] = [];
    const price = (model: string) => {
      asked.push(model);
      return undefined;
    };
    const unnamed = { ...RESERVED, model: undefined };
    const spied = { ...pricing, prices: { price } };
    expect(actualUse(unnamed, { inputTokens: 5 }, spied, NOON).costNanoUsd).toBe(77);
    expect(actualUse(unnamed, { model: "unheard-of" }, spied, NOON).costNanoUsd).toBe(77);
    expect(asked).toEqual(["unheard-of"]);
  });

  it("is that of the hour of the settle", () => {
    expect(cost({ model: "nights", inputTokens: 5 }, {}, NOON)).toBe(15);
    expect(cost({ model: "nights", inputTokens: 5 }, {}, NOON - 10 * 3_600_000)).toBe(5);
  });
});
