import fc from "fast-check";
import { costNanoUsd, modelPrice, mostNanoUsd, priceCatalog, type TokenCounts } from "tollgate";
import { describe, expect, it, test } from "vitest";
import { limited, world } from "../gate/world.js";
import { priceInputs, tokenCounts } from "../pricing/arbitraries.js";
import { passed, settled } from "../scenarios/answers.js";

const KEY = { keyId: "k1" };
const budget = limited({ key: { budget: { usd: 100, reset: "monthly" } } });

const CLAUDE = {
  inputUsdPerMillion: 3,
  cachedInputUsdPerMillion: 0.3,
  cacheWriteUsdPerMillion: 3.75,
  cacheWrite1hUsdPerMillion: 6,
  outputUsdPerMillion: 15,
};

async function reservedFor(price: Parameters<typeof modelPrice>[0], usage: object): Promise<number> {
  const { gate } = world(budget, { prices: priceCatalog.of({ m: price }) });
  return passed(await gate.admit(KEY, { model: "m", ...usage })).reservation.costNanoUsd;
}

/** Input and output as they are where the parts add up to more than the whole. */
function wholesOf(tokens: TokenCounts): Pick<TokenCounts, "inputTokens" | "outputTokens"> {
  const { cachedInputTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0 } = tokens;
  const { audioInputTokens = 0, imageInputTokens = 0 } = tokens;
  const { reasoningTokens = 0, audioOutputTokens = 0, imageOutputTokens = 0 } = tokens;
  const cache = cachedInputTokens + cacheWriteTokens + cacheWrite1hTokens;
  return {
    inputTokens: Math.max(tokens.inputTokens, cache + audioInputTokens + imageInputTokens),
    outputTokens: Math.max(tokens.outputTokens, reasoningTokens + audioOutputTokens + imageOutputTokens),
  };
}

describe("what is reserved of money", () => {
  it("is not the price of an hour that does not count for the call's service tier", () => {
    const rates = { inputUsdPerMillion: 10, outputUsdPerMillion: 10 };
    const price = modelPrice({
      ...rates,
      serviceTiers: { batch: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } },
      offPeak: { inputUsdPerMillion: 5, outputUsdPerMillion: 5, windows: [{ hoursUtc: "06:00-18:00" }] },
    });
    const tokens = { inputTokens: 10, outputTokens: 10 };
    expect(mostNanoUsd(price, { ...tokens, serviceTier: "batch" })).toBe(20 * 1_000);
    expect(mostNanoUsd(price, tokens)).toBe(20 * 10_000);
  });

  test("law: a call that keeps to its tokens and to what was said of them never costs more, at any hour", () => {
    const offPeak = fc.record({ inputUsdPerMillion: fc.nat(50), outputUsdPerMillion: fc.nat(50) });
    fc.assert(
      fc.property(priceInputs, offPeak, tokenCounts, fc.nat(), fc.nat(), (input, off, tokens, saidAt, at) => {
        const windows = [{ hoursUtc: "06:00-18:00" }];
        const price = modelPrice({ ...input, offPeak: { ...off, windows } });
        const { cachedInputTokens, reasoningTokens, ...parts } = tokens;
        const said = { ...parts, ...wholesOf(tokens), at: saidAt };
        fc.pre(Number.isSafeInteger(said.inputTokens) && Number.isSafeInteger(said.outputTokens));
        expect(costNanoUsd(price, { ...tokens, at })).toBeLessThanOrEqual(mostNanoUsd(price, said));
      }),
      { numRuns: 1_000 },
    );
  });

  test("law: a call that writes less to the cache than was said never costs more, also if it reads that instead", () => {
    fc.assert(
      fc.property(priceInputs, tokenCounts, fc.nat(100), fc.nat(100), (input, tokens, percent, percent1h) => {
        const { cachedInputTokens: _, cacheWriteTokens = 0, cacheWrite1hTokens = 0, ...others } = tokens;
        const { inputTokens } = wholesOf({ ...tokens, cachedInputTokens: 0 });
        fc.pre(Number.isSafeInteger(inputTokens));
        const price = modelPrice(input);
        const used = { ...others, inputTokens };
        const written = {
          cacheWriteTokens: Math.floor((cacheWriteTokens / 100) * percent),
          cacheWrite1hTokens: Math.floor((cacheWrite1hTokens / 100) * percent1h),
        };
        const most = mostNanoUsd(price, { ...used, cacheWriteTokens, cacheWrite1hTokens });
        expect(costNanoUsd(price, { ...used, ...written })).toBeLessThanOrEqual(most);
        const { cacheWriteTokens: some, cacheWrite1hTokens: some1h } = written;
        const cachedInputTokens = cacheWriteTokens - some + cacheWrite1hTokens - some1h;
        const read = { ...used, ...written, cachedInputTokens };
        expect(costNanoUsd(price, read)).toBeLessThanOrEqual(most);
      }),
      { numRuns: 1_000 },
    );
  });

  it("is the plain input price where nothing is said of a cache: nobody is refused for a cache they do not use", async () => {
    expect(await reservedFor(CLAUDE, { inputTokens: 1_000, maxOutputTokens: 0 })).toBe(3_000_000);
  });

  it("is the price of a cache write for the tokens that the call writes", async () => {
    const usage = { inputTokens: 1_000, maxOutputTokens: 0, cacheWriteTokens: 500, cacheWrite1hTokens: 300 };
    expect(await reservedFor(CLAUDE, usage)).toBe(200 * 3_000 + 500 * 3_750 + 300 * 6_000);
  });

  it("is the plain input price for what a call may write to a cache where writes are cheaper", async () => {
    const price = { inputUsdPerMillion: 0.28, cacheWriteUsdPerMillion: 0, outputUsdPerMillion: 0.42 };
    const usage = { inputTokens: 1_000, maxOutputTokens: 0, cacheWriteTokens: 1_000 };
    expect(await reservedFor(price, usage)).toBe(280_000);
  });

  it("is the price of reasoning for all output where that is dearer", async () => {
    const price = { inputUsdPerMillion: 0, outputUsdPerMillion: 1, reasoningUsdPerMillion: 4 };
    expect(await reservedFor(price, { inputTokens: 0, maxOutputTokens: 1_000 })).toBe(4_000_000);
  });

  it("is the price of the service tier that the call asks for", async () => {
    const price = { ...CLAUDE, serviceTiers: { priority: { inputUsdPerMillion: 6 } } };
    const usage = { inputTokens: 1_000, maxOutputTokens: 0 };
    expect(await reservedFor(price, { ...usage, serviceTier: "priority" })).toBe(6_000_000);
    expect(await reservedFor(price, { ...usage, serviceTier: "default" })).toBe(3_000_000);
  });

  it("is the price of the dear hours, and the settle's that of its own hour", async () => {
    const offPeak = { inputUsdPerMillion: 1, windows: [{ hoursUtc: "16:30-00:30" }] };
    const prices = priceCatalog.of({ m: { ...CLAUDE, offPeak } });
    const clock = { time: Date.parse("2026-08-28T16:00Z"), now: () => clock.time };
    const { gate } = world(budget, { prices, clock });
    const { reservation } = passed(
      await gate.admit(KEY, { model: "m", inputTokens: 1_000, maxOutputTokens: 0 }),
    );
    expect(reservation.costNanoUsd).toBe(3_000_000);
    clock.time += 30 * 60_000;
    const { charged } = settled(await gate.settle(reservation, { inputTokens: 1_000, outputTokens: 0 }));
    expect(charged.costNanoUsd).toBe(1_000_000);
  });
});

describe("what was said of a call and is left out of its actual", () => {
  const price = {
    ...CLAUDE,
    usdPerSearch: 0.01,
    serviceTiers: { priority: { inputUsdPerMillion: 6, outputUsdPerMillion: 30 } },
  };
  const usage = {
    model: "m",
    inputTokens: 1_000,
    maxOutputTokens: 100,
    cacheWriteTokens: 1_000,
    searches: 2,
    serviceTier: "priority",
  };

  async function chargedFor(actual: object, asJson = false): Promise<number> {
    const { gate } = world(budget, { prices: priceCatalog.of({ m: price }) });
    const { reservation } = passed(await gate.admit(KEY, usage));
    const given = asJson ? JSON.parse(JSON.stringify(reservation)) : reservation;
    return settled(await gate.settle(given, actual)).charged.costNanoUsd;
  }

  it("stays: the service tier, the searches, and the parts of an input that is not told", async () => {
    const whole = 1_000 * 3_750 + 5 * 30_000 + 2 * 10_000_000;
    expect(await chargedFor({ outputTokens: 5 })).toBe(whole);
    expect(await chargedFor({ outputTokens: 5 }, true)).toBe(whole);
  });

  it("goes with an input that is told: its parts are told with it", async () => {
    const told = { inputTokens: 1_000, cachedInputTokens: 900, outputTokens: 0, searches: 0 };
    expect(await chargedFor(told)).toBe(100 * 6_000 + 900 * 300);
    expect(await chargedFor({ ...told, serviceTier: "default" })).toBe(100 * 3_000 + 900 * 300);
  });

  it("is part of the same request: another service tier under the same id is a conflict", async () => {
    const { gate } = world(budget, { prices: priceCatalog.of({ m: price }) });
    const first = passed(await gate.admit(KEY, { ...usage, requestId: "r" }));
    const again = passed(await gate.admit(KEY, { ...usage, requestId: "r" }));
    expect(again.reservation.id).toBe(first.reservation.id);
    await expect(gate.admit(KEY, { ...usage, requestId: "r", serviceTier: "flex" })).rejects.toThrow(
      "requestId",
    );
  });

  it("counts for an extension, too", async () => {
    const { gate } = world(budget, { prices: priceCatalog.of({ m: price }) });
    const { reservation } = passed(await gate.admit(KEY, usage));
    const more = passed(await gate.extend(reservation, { maxOutputTokens: 100 }));
    expect(more.reservation.costNanoUsd - reservation.costNanoUsd).toBe(100 * 30_000);
  });
});

describe("prices that are reloaded while a call is under way", () => {
  const cheap = priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 1 } });
  const dear = priceCatalog.of({ m: { inputUsdPerMillion: 5, outputUsdPerMillion: 5 } });
  const usage = { model: "m", inputTokens: 1_000, maxOutputTokens: 0 };

  it("price later calls anew; the call keeps what was reserved, and is settled at the new prices", async () => {
    const prices = priceCatalog.reloadable(cheap);
    const { gate } = world(budget, { prices });
    const before = passed(await gate.admit(KEY, usage)).reservation;
    expect(before.costNanoUsd).toBe(1_000_000);
    prices.replace(dear);
    expect(passed(await gate.admit(KEY, usage)).reservation.costNanoUsd).toBe(5_000_000);
    expect(settled(await gate.settle(before, {})).charged.costNanoUsd).toBe(1_000_000);

    prices.replace(cheap);
    const open = passed(await gate.admit(KEY, usage)).reservation;
    prices.replace(dear);
    const { charged } = settled(await gate.settle(open, { inputTokens: 1_000, outputTokens: 0 }));
    expect(charged.costNanoUsd).toBe(5_000_000);
  });

  it("that lose a model leave the call at what was reserved, and refuse later ones", async () => {
    const prices = priceCatalog.reloadable(cheap);
    const { gate } = world(budget, { prices });
    const { reservation } = passed(await gate.admit(KEY, usage));
    prices.replace(priceCatalog.of({}));
    expect(await gate.admit(KEY, usage)).toMatchObject({ admitted: false, reason: "model_unpriced" });
    const { charged } = settled(await gate.settle(reservation, { inputTokens: 500, outputTokens: 0 }));
    expect(charged.costNanoUsd).toBe(1_000_000);
  });

  it("that are wrong stay as they were", () => {
    const prices = priceCatalog.reloadable(cheap);
    expect(() => prices.replace(priceCatalog.fromLiteLLM({ m: { input_cost_per_token: -1 } }))).toThrow();
    expect(() => prices.replace({} as never)).toThrow("catalog: an object with price");
    expect(() => priceCatalog.reloadable({} as never)).toThrow("catalog: an object with price");
    expect(prices.price("m")).toBe(cheap.price("m"));
  });
});
