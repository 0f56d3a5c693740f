import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixed, modelMax } from "../../src/admission/estimate.js";
import { dearestCost, estimatedUse, heldUse, type Pricing } from "../../src/admission/estimated-use.js";
import { LimitShape } from "../../src/admission/limit-shape.js";
import { Calendar } from "../../src/admission/period.js";
import { Plan } from "../../src/admission/plan.js";
import { ValidationError } from "../../src/model/errors.js";
import type { Limits } from "../../src/model/limits.js";
import type { Usage } from "../../src/model/usage.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import { limitsAt } from "../counters/limits.js";

/** A nano-USD for a token of input, ten for one of output; `dear` is twice that. */
const prices = priceCatalog.of({
  m: {
    inputUsdPerMillion: 0.001,
    outputUsdPerMillion: 0.01,
    maxOutputTokens: 64,
    cacheWriteUsdPerMillion: 1,
  },
  dear: { inputUsdPerMillion: 0.002, outputUsdPerMillion: 0.02 },
  hours: {
    inputUsdPerMillion: 0.003,
    outputUsdPerMillion: 0.03,
    tiers: [{ aboveInputTokens: 1_000_000, inputUsdPerMillion: 0.006 }],
    offPeak: { outputUsdPerMillion: 0.04, windows: [{ hoursUtc: "00:00-06:00" }] },
  },
});
const estimate = () => 100;

const BUDGET: Limits = { budget: { usd: 1, reset: "daily" } };
const BYOK_BUDGET: Limits = { budget: { usd: 1, reset: "daily", countByok: true } };

function planOf(limits: Limits, models?: readonly string[]): Plan {
  const compiled = limitsAt("key", limits);
  return new Plan(true, models, compiled, new LimitShape(compiled, new Calendar()));
}

function used(limits: Limits, usage: Usage, models?: readonly string[], pricing: Partial<Pricing> = {}) {
  return estimatedUse(planOf(limits, models), usage, { prices, unpriced: "deny", estimate, ...pricing });
}

const cost = (...asked: Parameters<typeof used>) => used(...asked)?.costNanoUsd;

describe("what a call is expected to use", () => {
  it("is one request, one slot, and the tokens that it names", () => {
    expect(used({ rpm: 9 }, { model: "m", inputTokens: 7, maxOutputTokens: 3 })).toEqual({
      requests: 1,
      inputTokens: 7,
      outputTokens: 3,
      costNanoUsd: 37,
      slots: 1,
      byok: false,
      models: ["m"],
      parts: undefined,
      lacksPrice: false,
    });
  });

  it("law: is the same where something that is priced apart is said to be none of", () => {
    let priced = 0;
    fc.assert(
      fc.property(
        fc.constantFrom<Limits>({}, { rpm: 9 }, { tpm: 9 }, BUDGET, BYOK_BUDGET, {
          ...BUDGET,
          mode: "shadow",
        }),
        fc.constantFrom("m", "dear", "hours", "unheard-of"),
        fc.constantFrom(undefined, ["m"], ["dear", "m"], ["unheard-of", "m"]),
        fc.record(
          { inputTokens: fc.nat(), maxOutputTokens: fc.nat(), byok: fc.boolean(), costUsd: fc.nat(9) },
          { requiredKeys: ["inputTokens"] },
        ),
        (limits, model, targets, said) => {
          const plain = used(limits, { model, ...said }, targets);
          const apart = used(limits, { model, ...said, searches: 0 }, targets);
          expect(plain && { ...plain, parts: { searches: 0 } }).toEqual(apart);
          if ((plain?.costNanoUsd ?? 0) > 0) priced++;
        },
      ),
      { numRuns: 500 },
    );
    expect(priced).toBeGreaterThan(100);
  });

  it("is the most that the estimate says of output that is not named, asked with each target and the input", () => {
    const asked: unknown[] = [];
    const pricing = { estimate: (call: object) => 40 - asked.push(call) };
    expect(used({}, { model: "v" }, ["m", "dear"], pricing)).toMatchObject({ outputTokens: 39 });
    expect(used({}, { model: "m", inputTokens: 7 }, undefined, pricing)).toMatchObject({ outputTokens: 37 });
    expect(used({}, { model: "m", maxOutputTokens: 0 }, undefined, pricing)).toMatchObject({
      outputTokens: 0,
    });
    expect(asked).toEqual([
      { model: "m", inputTokens: undefined },
      { model: "dear", inputTokens: undefined },
      { model: "m", inputTokens: 7 },
    ]);
  });

  it("is estimated for those targets alone that the call may reach", () => {
    const pricing = { estimate: ({ model }: { model: string }) => (model === "m" ? 64 : 100_000) };
    const call = used(BUDGET, { model: "v", inputTokens: 7 }, ["unheard-of", "m"], pricing);
    expect(call).toMatchObject({ models: ["m"], outputTokens: 64 });
  });

  it("is no token and no money for an MCP server, unless it says so", () => {
    const call = used({ ...BUDGET, tpm: 9 }, { mcpServer: "github" }, []);
    expect(call).toMatchObject({ inputTokens: 0, outputTokens: 0, costNanoUsd: 0, models: [] });
    const told = { mcpServer: "github", inputTokens: 4, maxOutputTokens: 5, costUsd: "0.000000006" };
    expect(used(BUDGET, told, [])).toMatchObject({ inputTokens: 4, outputTokens: 5, costNanoUsd: 6 });
    expect(used({}, { mcpServer: "github" })).toMatchObject({ models: [] });
  });

  it("is on the customer's own key only where the usage says true", () => {
    expect(used({}, { model: "m", byok: true })).toMatchObject({ byok: true });
    expect(used({}, { model: "m", byok: false })).toMatchObject({ byok: false });
  });

  it("has as much input and output as its parts, where they are more than the whole: as much as its settle counts", () => {
    const call = { model: "m", inputTokens: 7, maxOutputTokens: 3 };
    const parts = { cacheWriteTokens: 20, audioInputTokens: 5, audioOutputTokens: 9, imageOutputTokens: 2 };
    expect(used({ tpm: 99 }, { ...call, ...parts })).toMatchObject({ inputTokens: 25, outputTokens: 11 });
    const within = { cacheWriteTokens: 2, audioInputTokens: 5, audioOutputTokens: 3 };
    expect(used({ tpm: 99 }, { ...call, ...within })).toMatchObject({ inputTokens: 7, outputTokens: 3 });
  });

  it("has the parts that are named", () => {
    expect(used({}, { model: "m", searches: 2 })).toMatchObject({ parts: { searches: 2 } });
    expect(cost(BUDGET, { model: "m", inputTokens: 9, maxOutputTokens: 0, cacheWriteTokens: 9 })).toBe(9_000);
  });
});

describe("the expected cost", () => {
  const call: Usage = { model: "v", inputTokens: 5, maxOutputTokens: 3 };

  it("is that of the dearest model the call may fall back to, whether money is counted or only recorded", () => {
    expect(cost(BUDGET, call, ["m"])).toBe(35);
    expect(cost(BUDGET, call, ["m", "dear"])).toBe(70);
    expect(cost(BUDGET, call, ["dear", "m"])).toBe(70);
    expect(cost({ ...BUDGET, mode: "shadow" }, call, ["m"])).toBe(35);
    expect(cost({ rpm: 9, tpm: 99 }, call, ["m"])).toBe(35);
    expect(cost({ rpm: 9 }, { ...call, inputTokens: undefined }, ["m"])).toBe(30);
    expect(cost({ rpm: 9 }, call, ["unheard-of"])).toBe(0);
  });

  it("of a call on the customer's own key is the same, and needs a price only for a budget that counts those", () => {
    for (const budget of [BUDGET, BYOK_BUDGET]) expect(cost(budget, { ...call, byok: true }, ["m"])).toBe(35);
    expect(used(BUDGET, { ...call, byok: true }, ["unheard-of"])).toMatchObject({ costNanoUsd: 0 });
    expect(used(BYOK_BUDGET, { ...call, byok: true }, ["unheard-of"])).toBeUndefined();
  });

  it("is what the usage says, where it does, and needs no price then", () => {
    expect(cost(BUDGET, { ...call, costUsd: "0.000000002" }, ["dear"])).toBe(2);
    expect(cost({}, { ...call, costUsd: 0.000_000_002 }, ["dear"])).toBe(2);
    expect(used(BUDGET, { ...call, costUsd: 0 }, ["unheard-of"])).toMatchObject({
      costNanoUsd: 0,
      models: ["unheard-of"],
    });
  });

  it("leaves no target without a price where that is denied, and no call without targets", () => {
    expect(used(BUDGET, call, ["unheard-of", "m"])).toMatchObject({ models: ["m"], costNanoUsd: 35 });
    expect(used(BUDGET, call, ["unheard-of"])).toBeUndefined();
    expect(used(BUDGET, { ...call, model: "unheard-of" })).toBeUndefined();
    expect(used({ ...BUDGET, mode: "shadow" }, call, ["unheard-of"])).toMatchObject({
      models: ["unheard-of"],
      costNanoUsd: 0,
    });
    expect(used(BUDGET, { ...call, byok: true }, ["unheard-of"])).toMatchObject({ models: ["unheard-of"] });
  });

  it("of a model without a price is what `unpriced` says, if that is the dearest", () => {
    const unpriced = (nano: number) => ({ unpriced: nano });
    expect(used(BUDGET, call, ["unheard-of", "m"], unpriced(8))).toMatchObject({
      models: ["unheard-of", "m"],
      costNanoUsd: 35,
    });
    expect(cost(BUDGET, call, ["unheard-of", "m"], unpriced(80))).toBe(80);
    // Where money is not counted, it is nothing.
    expect(cost({ rpm: 9 }, call, ["unheard-of"], unpriced(80))).toBe(0);
    expect(dearestCost([undefined], 5, 3, undefined, "deny")).toBe(0);
    expect(dearestCost([], 5, 3, undefined, 80)).toBe(0);
  });
});

describe("input tokens", () => {
  const missing = {
    problems: [
      {
        field: "usage.inputTokens",
        expected: "the call's input tokens: a limit that applies to it counts them",
      },
    ],
  };
  const problemOf = (...asked: Parameters<typeof used>) => {
    try {
      used(...asked);
    } catch (error) {
      if (error instanceof ValidationError) return error;
      throw error;
    }
    return undefined;
  };

  it("have to be said where an enforced limit counts them", () => {
    for (const limits of [{ tpm: 9 }, { inputTpm: 9 }, { tpd: 9 }, BUDGET]) {
      expect(problemOf(limits, { model: "m" })).toMatchObject(missing);
      expect(problemOf(limits, { model: "m", inputTokens: 0 })).toBeUndefined();
      expect(problemOf({ ...limits, mode: "shadow" }, { model: "m" })).toBeUndefined();
    }
  });

  it("need not be said where none counts them, or no model is asked or priced", () => {
    expect(problemOf({ rpm: 9, outputTpm: 9, inFlight: 9 }, { model: "m" })).toBeUndefined();
    expect(problemOf({ tpm: 9, ...BUDGET }, { mcpServer: "github" }, [])).toBeUndefined();
    expect(problemOf(BUDGET, { model: "unheard-of" }, undefined, { unpriced: 8 })).toBeUndefined();
    expect(problemOf(BUDGET, { model: "v" }, ["unheard-of", "m"], { unpriced: 8 })).toMatchObject(missing);
    expect(problemOf(BUDGET, { model: "m", byok: true })).toBeUndefined();
    expect(problemOf(BYOK_BUDGET, { model: "m", byok: true })).toMatchObject(missing);
    expect(problemOf(BUDGET, { model: "m", costUsd: 1 })).toBeUndefined();
  });
});

describe("what a repeated call holds", () => {
  const held = (limits: Limits, amounts: readonly number[], byok = false) => {
    const use = { requests: 1, inputTokens: 7, outputTokens: 3, costNanoUsd: 37, slots: 1 };
    const charges = { limits: limitsAt("key", limits), amounts, periods: [] };
    const { inputTokens, outputTokens, costNanoUsd } = heldUse(charges, {
      ...{ ...use, byok, models: ["m"], parts: undefined, lacksPrice: false },
    });
    return [inputTokens, outputTokens, costNanoUsd];
  };

  it("is what its reservation says as far as limits count it, the most of several, and else its own estimate", () => {
    expect(held({ rpm: 1 }, [1])).toEqual([7, 3, 37]);
    expect(held({ inputTpm: 9, outputTpm: 9, tpm: 9 }, [20, 8, 12])).toEqual([8, 12, 37]);
    expect(held({ tpm: 9, tpd: 9 }, [20, 15])).toEqual([7, 13, 37]);
    expect(held({ tpm: 9 }, [5])).toEqual([7, 0, 37]);
    expect(held(BUDGET, [50])).toEqual([7, 3, 50]);
  });

  it("is its own estimate of money that no limit counts, as on the customer's own key", () => {
    expect(held(BUDGET, [0], true)).toEqual([7, 3, 37]);
    expect(held(BYOK_BUDGET, [50], true)).toEqual([7, 3, 50]);
  });
});

describe("the estimate of output", () => {
  it("has to be a whole number of tokens, zero or more", () => {
    const estimated = (tokens: number) =>
      used({}, { model: "m" }, undefined, { estimate: () => tokens })?.outputTokens;
    expect([0, 1, 2 ** 53 - 1].map(estimated)).toEqual([0, 1, 2 ** 53 - 1]);
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, "7" as unknown as number]) {
      expect(() => estimated(wrong)).toThrow(
        "options.estimate: a function that returns a whole number of tokens",
      );
    }
  });

  it("can be the same for every call", () => {
    expect(fixed(7)({ model: "m", inputTokens: 9 })).toBe(7);
  });

  it("is refused where it is made of no number of tokens or no catalog, not only by the calls that need it", () => {
    for (const wrong of [-1, 0.5, Number.NaN, 1e13, "7" as unknown as number]) {
      expect(() => fixed(wrong)).toThrow("outputTokens: a whole number of tokens from 0 to 1000000000000");
      expect(() => modelMax(prices, wrong)).toThrow("otherwise: a whole number of tokens");
    }
    expect(() => modelMax({} as never)).toThrow("prices: an object with price");
  });

  it("can be the most that the model puts out, and another number where that is not known", () => {
    const asked = (model: string) => ({ model, inputTokens: undefined });
    expect(modelMax(prices)(asked("m"))).toBe(64);
    expect(modelMax(prices)(asked("dear"))).toBe(1_024);
    expect(modelMax(prices, 7)(asked("unheard-of"))).toBe(7);
  });
});
