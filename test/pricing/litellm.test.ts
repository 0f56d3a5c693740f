import { costNanoUsd, priceCatalog, type TokenCounts, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

/** Nano-USD of a call of the model `m`. */
function cost(model: object, tokens: Partial<TokenCounts>): number {
  const price = priceCatalog.fromLiteLLM({ m: model }).price("m");
  if (price === undefined) throw new Error("no price");
  return costNanoUsd(price, { inputTokens: 0, outputTokens: 0, ...tokens });
}

const plain = { input_cost_per_token: 1e-6, output_cost_per_token: 4e-6 };

describe("priceCatalog.fromLiteLLM", () => {
  it("reads a price by its decimal text: 1.5e-07 US dollars are 150 nano-USD, not a rounding more", () => {
    expect(cost({ ...plain, input_cost_per_token: 1.5e-7 }, { inputTokens: 1 })).toBe(150);
    expect(cost({ ...plain, input_cost_per_token: 2.5e-10 }, { inputTokens: 4 })).toBe(1);
  });

  it("prices each kind of token, and calls, images and searches", () => {
    const model = {
      ...plain,
      output_cost_per_reasoning_token: 5e-6,
      cache_read_input_token_cost: 1e-7,
      cache_creation_input_token_cost: 2e-6,
      cache_creation_input_token_cost_above_1hr: 3e-6,
      input_cost_per_audio_token: 6e-6,
      output_cost_per_audio_token: 7e-6,
      input_cost_per_image_token: 8e-6,
      output_cost_per_image_token: 9e-6,
      input_cost_per_request: 0.001,
      input_cost_per_image: 0.002,
      output_cost_per_image: 0.003,
      search_context_cost_per_query: {
        search_context_size_low: 0.01,
        search_context_size_medium: 0.02,
        search_context_size_high: 0.03,
      },
    };
    const each: [Partial<TokenCounts>, number][] = [
      [{ inputTokens: 1 }, 1_000],
      [{ outputTokens: 1 }, 4_000],
      [{ outputTokens: 1, reasoningTokens: 1 }, 5_000],
      [{ inputTokens: 1, cachedInputTokens: 1 }, 100],
      [{ inputTokens: 1, cacheWriteTokens: 1 }, 2_000],
      [{ inputTokens: 1, cacheWrite1hTokens: 1 }, 3_000],
      [{ inputTokens: 1, audioInputTokens: 1 }, 6_000],
      [{ outputTokens: 1, audioOutputTokens: 1 }, 7_000],
      [{ inputTokens: 1, imageInputTokens: 1 }, 8_000],
      [{ outputTokens: 1, imageOutputTokens: 1 }, 9_000],
      [{ inputImages: 1 }, 2_000_000],
      [{ outputImages: 1 }, 3_000_000],
      [{ searches: 1 }, 20_000_000],
    ];
    for (const [tokens, nano] of each)
      expect(cost(model, tokens), JSON.stringify(tokens)).toBe(1_000_000 + nano);
  });

  it("takes the more common of two names for the cache, and of the prices of a search the dearer where none is of medium", () => {
    const cached = { inputTokens: 1, cachedInputTokens: 1 };
    const [hit, read] = [{ input_cost_per_token_cache_hit: 3e-7 }, { cache_read_input_token_cost: 2e-7 }];
    expect(cost({ ...plain, ...hit }, cached)).toBe(300);
    expect(cost({ ...plain, ...hit }, { inputTokens: 1 })).toBe(1_000);
    expect(cost({ ...plain, ...hit, ...read }, cached)).toBe(200);
    expect(cost({ ...plain, ...read, ...hit }, cached)).toBe(200);
    const sizes = { search_context_size_low: 0.01, search_context_size_high: 0.03 };
    expect(cost({ ...plain, search_context_cost_per_query: sizes }, { searches: 1 })).toBe(30_000_000);
    const low = { search_context_size_low: 0.01 };
    expect(cost({ ...plain, search_context_cost_per_query: low }, { searches: 1 })).toBe(10_000_000);
  });

  it("has text cost what the dearer of audio and images does, where it has no price of its own", () => {
    const media = { input_cost_per_audio_token: 3e-6, input_cost_per_image_token: 1.5e-6 };
    const made = { output_cost_per_audio_token: 2e-6, output_cost_per_image_token: 1.2e-5 };
    expect(cost({ ...media, ...made }, { inputTokens: 1 })).toBe(3_000);
    expect(cost({ ...media, ...made }, { outputTokens: 1 })).toBe(12_000);
    const dearImages = { input_cost_per_audio_token: 1.5e-6, input_cost_per_image_token: 3e-6 };
    expect(cost(dearImages, { inputTokens: 1 })).toBe(3_000);
    const text = { inputTokens: 1, outputTokens: 1 };
    expect(cost({ input_cost_per_audio_token: 3e-6, output_cost_per_image_token: 5e-6 }, text)).toBe(8_000);
    expect(cost({ input_cost_per_image_token: 3e-6, output_cost_per_audio_token: 5e-6 }, text)).toBe(8_000);
    const drawn = { output_cost_per_image: 0.04 };
    expect(cost(drawn, { ...text, outputImages: 1 })).toBe(40_000_000);
  });

  it("keeps the most tokens that a model answers with, by either name, and passes over what is no such count", () => {
    const most = (limits: object) =>
      priceCatalog.fromLiteLLM({ m: { ...plain, ...limits } }).price("m")?.maxOutputTokens;
    expect(most({ max_output_tokens: 8, max_tokens: 9 })).toBe(8);
    expect(most({ max_tokens: 9 })).toBe(9);
    expect(most({ max_output_tokens: 0, max_tokens: "many" })).toBeUndefined();
    expect(most({ max_tokens: 1.5 })).toBeUndefined();
  });

  it("takes the highest tier that the prompt passes, its cache included, for the whole call, with any number", () => {
    const model = {
      ...plain,
      cache_read_input_token_cost: 5e-7,
      input_cost_per_token_above_32k_tokens: 2e-6,
      input_cost_per_token_above_128k_tokens: 3e-6,
      output_cost_per_token_above_128k_tokens: 8e-6,
      input_cost_per_token_above_500_tokens: 1.5e-6,
    };
    expect(cost(model, { inputTokens: 500 })).toBe(500 * 1_000);
    expect(cost(model, { inputTokens: 501 })).toBe(501 * 1_500);
    expect(cost(model, { inputTokens: 32_001, outputTokens: 1 })).toBe(32_001 * 2_000 + 4_000);
    expect(cost(model, { inputTokens: 128_001, cachedInputTokens: 128_000, outputTokens: 1 })).toBe(
      3_000 + 128_000 * 500 + 8_000,
    );
  });

  it("has a tier of xAI's hold from its threshold on, as xAI does", () => {
    const model = { ...plain, input_cost_per_token_above_200k_tokens: 2e-6, litellm_provider: "xai" };
    expect(cost(model, { inputTokens: 199_999 })).toBe(199_999 * 1_000);
    expect(cost(model, { inputTokens: 200_000 })).toBe(200_000 * 2_000);
  });

  it("has variants for each service tier of the list, of tiers too; what one leaves out is the standard price", () => {
    const model = {
      ...plain,
      input_cost_per_token_above_200k_tokens: 2e-6,
      input_cost_per_token_above_200k_tokens_priority: 9e-6,
      input_cost_per_token_batches: 5e-7,
      input_cost_per_token_flex: 6e-7,
      input_cost_per_token_priority: 3e-6,
      input_cost_per_token_balanced: 8e-7,
      input_cost_per_token_ultrafast: 1e-5,
      input_cost_per_token_above_200k_tokens_ultrafast: 2e-5,
    };
    const input = (serviceTier?: string, inputTokens = 1) => cost(model, { inputTokens, serviceTier });
    expect([input(), input("batch"), input("flex"), input("priority")]).toEqual([1_000, 500, 600, 3_000]);
    expect([input("balanced"), input("ultrafast")]).toEqual([800, 10_000]);
    expect([input("default"), input("auto"), input("__proto__")]).toEqual([1_000, 1_000, 1_000]);
    expect(input("priority", 200_001)).toBe(200_001 * 9_000);
    expect(input("flex", 200_001)).toBe(200_001 * 2_000);
    expect(input("ultrafast", 200_001)).toBe(200_001 * 20_000);
    expect(cost(model, { outputTokens: 1, serviceTier: "batch" })).toBe(4_000);
  });

  it("takes a part that is as dear as its whole for no price of its own, in tiers and variants too", () => {
    const model = {
      ...plain,
      output_cost_per_reasoning_token: 4e-6,
      input_cost_per_audio_token: 1e-6,
      input_cost_per_image_token: 1e-6,
      output_cost_per_image_token: 4e-6,
      output_cost_per_audio_token: 9e-6,
      output_cost_per_token_priority: 8e-6,
      output_cost_per_token_flex: 2e-6,
      output_cost_per_reasoning_token_flex: 3e-6,
      input_cost_per_token_above_200k_tokens: 2e-6,
      output_cost_per_token_above_200k_tokens: 6e-6,
    };
    const reasoning = { outputTokens: 1, reasoningTokens: 1 };
    expect(cost(model, reasoning)).toBe(4_000);
    expect(cost(model, { ...reasoning, serviceTier: "priority" })).toBe(8_000);
    expect(cost(model, { ...reasoning, serviceTier: "flex" })).toBe(3_000);
    const long = { ...reasoning, inputTokens: 200_001 };
    for (const part of [{ audioInputTokens: 1 }, { imageInputTokens: 1 }])
      expect(cost(model, { ...long, ...part })).toBe(200_001 * 2_000 + 6_000);
    expect(cost(model, { outputTokens: 1, imageOutputTokens: 1, serviceTier: "priority" })).toBe(8_000);
    const spoken = { outputTokens: 1, audioOutputTokens: 1, serviceTier: "priority" };
    expect(cost(model, spoken)).toBe(9_000);
    expect(cost({ ...model, output_cost_per_audio_token: 4e-6 }, spoken)).toBe(8_000);
  });

  it("has Anthropic's fast mode as a tier: so many times each token, of long prompts too, and no call or search", () => {
    const model = {
      ...plain,
      cache_read_input_token_cost: 1e-7,
      output_cost_per_token_above_200k_tokens: 6e-6,
      input_cost_per_request: 1e-9,
      search_context_cost_per_query: { search_context_size_medium: 0.01 },
      provider_specific_entry: { fast: 2.5, us: 1.1 },
    };
    const fast = (tokens: Partial<TokenCounts>) => cost(model, { ...tokens, serviceTier: "fast" }) - 1;
    expect(fast({ inputTokens: 2, cachedInputTokens: 1, outputTokens: 1 })).toBe(2_500 + 250 + 10_000);
    expect(fast({ inputTokens: 200_001, outputTokens: 1 })).toBe(200_001 * 2_500 + 15_000);
    expect(fast({ searches: 1 })).toBe(10_000_000);
    expect(cost(model, { outputTokens: 1, serviceTier: "us" })).toBe(4_001);
    const batches = { ...model, output_cost_per_token_batches: 2e-6, output_cost_per_token_priority: 8e-6 };
    expect(cost(batches, { outputTokens: 1, serviceTier: "fast" })).toBe(10_001);
    for (const provider_specific_entry of [null, "fast", { us: 1.1 }])
      expect(cost({ ...plain, provider_specific_entry }, { outputTokens: 1, serviceTier: "fast" })).toBe(
        4_000,
      );
  });

  it("reads tiered_pricing: a range's start is not within it, and the last holds above its end", () => {
    const model = {
      output_cost_per_token: 4e-6,
      cache_read_input_token_cost: 1e-9,
      tiered_pricing: [
        { range: [32_000, 128_000], input_cost_per_token: 5e-6, output_cost_per_reasoning_token: 9e-6 },
        { range: [0, 32_000], input_cost_per_token: 2e-6, output_cost_per_token: 3e-6 },
      ],
    };
    expect(cost(model, { inputTokens: 32_000, outputTokens: 1 })).toBe(32_000 * 2_000 + 3_000);
    expect(cost(model, { inputTokens: 32_001, outputTokens: 1 })).toBe(32_001 * 5_000 + 4_000);
    expect(cost(model, { inputTokens: 999_999 })).toBe(999_999 * 5_000);
    // A range is priced by itself: its cache by its own input.
    expect(cost(model, { inputTokens: 10, cachedInputTokens: 10 })).toBe(10 * 2_000);
    expect(cost(model, { inputTokens: 10, cacheWriteTokens: 10 })).toBe(10 * 2_000);
    expect(cost(model, { inputTokens: 40_000, cacheWrite1hTokens: 40_000 })).toBe(40_000 * 5_000);
    expect(cost(model, { inputTokens: 40_000, outputTokens: 1, reasoningTokens: 1 })).toBe(
      40_000 * 5_000 + 9_000,
    );
  });

  it("reads tiered_pricing: reasoning that a range leaves out is as its own output, else as the model's", () => {
    const model = {
      ...plain,
      output_cost_per_reasoning_token: 7e-6,
      tiered_pricing: [
        { range: [0, 100], input_cost_per_token: 1e-6 },
        { range: [100, 200], input_cost_per_token: 1e-6, output_cost_per_token: 5e-6 },
      ],
    };
    const reasoning = { outputTokens: 1, reasoningTokens: 1 };
    expect(cost(model, reasoning)).toBe(7_000);
    expect(cost(model, { inputTokens: 101, ...reasoning })).toBe(101 * 1_000 + 5_000);
    const tiered_pricing = [
      { range: [0, 100], output_cost_per_reasoning_token: 9e-6 },
      { range: [100, 200], input_cost_per_token: 1e-6 },
    ];
    expect(cost({ ...plain, tiered_pricing }, reasoning)).toBe(9_000);
    expect(cost({ ...plain, tiered_pricing }, { inputTokens: 101, ...reasoning })).toBe(101 * 1_000 + 4_000);
  });

  it("reads tiered_pricing: a range's cache costs what the range says, else what its own input does", () => {
    const model = {
      ...plain,
      cache_read_input_token_cost: 1e-9,
      cache_creation_input_token_cost: 1e-9,
      cache_creation_input_token_cost_above_1hr: 1e-9,
      tiered_pricing: [
        {
          range: [0, 100],
          input_cost_per_token: 2e-6,
          cache_read_input_token_cost: 3e-7,
          cache_creation_input_token_cost: 3e-6,
          cache_creation_input_token_cost_above_1hr: 4e-6,
        },
        { range: [100, 200], input_cost_per_token: 5e-6 },
        { range: [200, 300], output_cost_per_token: 6e-6, cache_creation_input_token_cost: 7e-6 },
      ],
    };
    const each = (inputTokens: number) =>
      [
        {},
        { cachedInputTokens: inputTokens },
        { cacheWriteTokens: inputTokens },
        { cacheWrite1hTokens: inputTokens },
      ].map((part) => cost(model, { inputTokens, ...part }) / inputTokens);
    expect(each(100)).toEqual([2_000, 300, 3_000, 4_000]);
    expect(each(101)).toEqual([5_000, 5_000, 5_000, 5_000]);
    expect(each(201)).toEqual([1_000, 1_000, 7_000, 7_000]);
  });

  it("reads tiered_pricing of a model that has no other price, and beside a price per call", () => {
    const tiered_pricing = [{ range: [0, 100], input_cost_per_token: 2e-6, output_cost_per_token: 3e-6 }];
    expect(cost({ tiered_pricing }, { inputTokens: 1, outputTokens: 1 })).toBe(5_000);
    expect(cost({ tiered_pricing, input_cost_per_request: 0.001 }, { inputTokens: 1 })).toBe(1_002_000);
  });

  it("reads the price of a model that charges for its searches alone", () => {
    const searched = (search_context_size_medium: number) => ({
      search_context_cost_per_query: { search_context_size_medium },
    });
    expect(cost(searched(0.01), { inputTokens: 1, searches: 1 })).toBe(10_000_000);
    expect(cost(searched(0), { inputTokens: 1, searches: 1 })).toBe(0);
  });

  it("passes over tiered_pricing by something else than tokens, and what has no other price", () => {
    const search = {
      tiered_pricing: [
        { input_cost_per_query: 0.005, max_results_range: [0, 25] },
        { input_cost_per_query: 0.025, max_results_range: [26, 100] },
      ],
    };
    const catalog = priceCatalog.fromLiteLLM({ "exa_ai/search": search, m: plain });
    expect(catalog.price("exa_ai/search")).toBeUndefined();
    expect(catalog.price("m")).toBeDefined();
    expect(cost({ ...plain, ...search }, { inputTokens: 1 })).toBe(1_000);
  });

  describe("off-peak windows", () => {
    const hour = (time: string) => Date.parse(`2026-08-28T${time}Z`); // A Friday.
    const at = (off_peak_pricing: object, moment?: number) =>
      cost({ ...plain, off_peak_pricing }, { inputTokens: 1, outputTokens: 1, at: moment });

    it("hold from their start to before their end, over midnight too, and not where the time is not known", () => {
      const block = { hours_utc: "16:30-00:30", input_cost_per_token: 5e-7 };
      expect(at(block, hour("16:29:59.999"))).toBe(5_000);
      expect(at(block, hour("16:30"))).toBe(4_500);
      expect(at(block, hour("00:29:59.999"))).toBe(4_500);
      expect(at(block, hour("00:30"))).toBe(5_000);
      expect(at(block)).toBe(5_000);
    });

    it("within one day hold from their start to before their end, too", () => {
      const block = { hours_utc: "01:00 - 02:00", input_cost_per_token: 5e-7 };
      expect(at(block, hour("00:59:59.999"))).toBe(5_000);
      expect(at(block, hour("01:00"))).toBe(4_500);
      expect(at(block, hour("01:59:59.999"))).toBe(4_500);
      expect(at(block, hour("02:00"))).toBe(5_000);
    });

    it("may be several, on some weekdays, in a time zone; from a time to itself is all day", () => {
      const block = {
        hours_utc: ["04:00-06:00", "10:00-11:00"],
        windows: [{ hours_utc: "00:00-00:00", weekdays: [" Saturday", 7] }],
        weekday_timezone: "Asia/Shanghai",
        input_cost_per_token: 5e-7,
      };
      expect(at(block, hour("05:00"))).toBe(4_500);
      expect(at(block, hour("10:59"))).toBe(4_500);
      expect(at(block, hour("12:00"))).toBe(5_000);
      // 16:00 UTC on Friday is midnight in Shanghai.
      expect(at(block, hour("15:59"))).toBe(5_000);
      expect(at(block, hour("16:00"))).toBe(4_500);
    });

    it("may be written as windows alone, and a weekday without a list around it", () => {
      const on = (weekdays: string) => ({
        windows: [{ hours_utc: "10:00-11:00", weekdays }],
        input_cost_per_token: 5e-7,
      });
      expect(at(on("fri"), hour("10:00"))).toBe(4_500);
      expect(at(on("sat"), hour("10:00"))).toBe(5_000);
      for (const [i, day] of ["Mon", "tues", "wednesday", "thu", "Friday", "sat", "sun"].entries())
        expect(at(on(day), hour("10:00") + (i - 4) * 86_400_000), day).toBe(4_500);
    });

    it("go before every tier, and leave service tiers alone", () => {
      const model = {
        ...plain,
        input_cost_per_token_above_1k_tokens: 2e-6,
        input_cost_per_token_flex: 1e-7,
        off_peak_pricing: { hours_utc: "00:00-00:00", input_cost_per_token: 5e-7 },
      };
      expect(cost(model, { inputTokens: 2_000, at: 0 })).toBe(2_000 * 500);
      expect(cost(model, { inputTokens: 1, at: 0, serviceTier: "flex" })).toBe(100);
    });
  });

  it("passes over sample_spec, fields it does not know, and models priced by the second", () => {
    const catalog = priceCatalog.fromLiteLLM({
      sample_spec: { input_cost_per_token: "a price" },
      m: { ...plain, mode: "chat", supports_vision: true, cost_of_living: "high", max_tokens: "many" },
      whisper: { input_cost_per_second: 0.0001 },
    });
    expect(catalog.price("sample_spec")).toBeUndefined();
    expect(catalog.price("whisper")).toBeUndefined();
    expect(catalog.price("m")).toBeDefined();
  });

  it("takes no zeros for the price of what is charged by the query, the pixel or the page, and for that of what is free", () => {
    const free = { input_cost_per_token: 0, output_cost_per_token: 0, input_cost_per_character: 0 };
    const catalog = priceCatalog.fromLiteLLM({
      "rerank-v3.5": { ...free, input_cost_per_query: 0.002 },
      "azure/hd/1024-x-1024/dall-e-3": { input_cost_per_pixel: 7.629e-8, output_cost_per_token: 0 },
      ocr: { ...free, ocr_cost_per_page: 0.001 },
      live: {
        input_cost_per_second: 0.001,
        search_context_cost_per_query: { search_context_size_medium: 0 },
      },
      free: { ...free, max_tokens: 8_192 },
    });
    for (const id of ["rerank-v3.5", "azure/hd/1024-x-1024/dall-e-3", "ocr", "live"])
      expect(catalog.price(id), id).toBeUndefined();
    expect(catalog.price("free")).toBeDefined();
    expect(cost({ ...plain, input_cost_per_query: 0.002 }, { inputTokens: 1 })).toBe(1_000);
    expect(
      cost({ ...free, output_cost_per_image: 0.04, output_cost_per_pixel: 1 }, { outputImages: 1 }),
    ).toBe(40_000_000);
  });

  it.each<[object, string]>([
    [{ ...plain, input_cost_per_token: -1e-6 }, "prices.m.input_cost_per_token"],
    [{ ...plain, output_cost_per_token: "0.01" }, "prices.m.output_cost_per_token"],
    [{ ...plain, cache_read_input_token_cost: Number.NaN }, "prices.m.cache_read_input_token_cost"],
    [{ ...plain, provider_specific_entry: { fast: "6" } }, "prices.m.provider_specific_entry.fast"],
    [{ ...plain, input_cost_per_token_flex: Number.POSITIVE_INFINITY }, "prices.m.input_cost_per_token_flex"],
    [
      { ...plain, input_cost_per_token_above_7k_tokens: null },
      "prices.m.input_cost_per_token_above_7k_tokens",
    ],
    [
      { ...plain, search_context_cost_per_query: { search_context_size_low: -1 } },
      "prices.m.search_context_cost_per_query.search_context_size_low",
    ],
    [
      { tiered_pricing: [{ range: [0, 5], input_cost_per_token: -1 }] },
      "prices.m.tiered_pricing[0].input_cost_per_token",
    ],
    [{ ...plain, tiered_pricing: { range: [0, 5] } }, "prices.m.tiered_pricing"],
    [{ tiered_pricing: [{ range: "all", input_cost_per_token: 1 }] }, "prices.m.tiered_pricing[0].range"],
    [
      { ...plain, off_peak_pricing: { hours_utc: "1-2", input_cost_per_token: 0 } },
      "prices.m.offPeak.windows[0].hoursUtc",
    ],
    [{ ...plain, off_peak_pricing: { windows: "01:00-02:00" } }, "prices.m.off_peak_pricing.windows"],
    [
      { ...plain, off_peak_pricing: { hours_utc: "01:00-02:00", input_cost_per_token: true } },
      "prices.m.off_peak_pricing.input_cost_per_token",
    ],
  ])("refuses %j and names %s", (model, field) => {
    const load = () => priceCatalog.fromLiteLLM({ m: model });
    expect(load).toThrow(ValidationError);
    expect(load).toThrow(new RegExp(`^${field.replace(/[.[\]]/g, "\\$&")}: `));
  });

  it.each([[undefined], [null], ["{}"], [[]], [{ m: 5 }]])("refuses %j", (json) => {
    expect(() => priceCatalog.fromLiteLLM(json)).toThrow(ValidationError);
  });
});

describe("a name", () => {
  const list = {
    "gpt-4o": { ...plain, litellm_provider: "openai" },
    "azure/gpt-4o": { ...plain, litellm_provider: "azure" },
    "gemini-2.5-pro": { ...plain, litellm_provider: "vertex_ai-language-models" },
    "openai/o3": { ...plain, litellm_provider: "openai" },
    o3: { ...plain, input_cost_per_token: 9e-6, litellm_provider: "openai" },
  };
  const entry = (name: string) => priceCatalog.fromLiteLLM(list).price(name)?.entry;

  it("finds an entry by its id or by its provider before it, and the price names the entry", () => {
    expect(entry("gpt-4o")).toBe("gpt-4o");
    expect(entry("openai/gpt-4o")).toBe("gpt-4o");
    expect(entry("azure/gpt-4o")).toBe("azure/gpt-4o");
    expect(entry("vertex_ai/gemini-2.5-pro")).toBe("gemini-2.5-pro");
    for (const unknown of ["groq/gpt-4o", "4o", "constructor", "__proto__", ""])
      expect(entry(unknown)).toBeUndefined();
  });

  it("may be one of those that the list itself has as aliases, which go after ids", () => {
    const catalog = priceCatalog.fromLiteLLM({
      "claude-x-20260101": { ...plain, litellm_provider: "anthropic", aliases: ["claude-x", "gpt-4o", 5] },
      "gpt-4o": plain,
      odd: { ...plain, aliases: "alias" },
      anyone: { ...plain, aliases: ["any"] },
    });
    expect(catalog.price("any")?.entry).toBe("anyone");
    for (const name of ["claude-x", "anthropic/claude-x", "anthropic/claude-x-20260101"])
      expect(catalog.price(name)?.entry).toBe("claude-x-20260101");
    expect(catalog.price("gpt-4o")?.entry).toBe("gpt-4o");
    expect(catalog.price("alias")).toBeUndefined();
  });

  it("has the provider as it is called, where the list has it by the kind of API", () => {
    const listed = {
      "amazon.nova": "bedrock_converse",
      command: "cohere_chat",
      instruct: "text-completion-openai",
    };
    const models = Object.entries(listed).map(([id, provider]) => [
      id,
      { ...plain, litellm_provider: provider },
    ]);
    const catalog = priceCatalog.fromLiteLLM(Object.fromEntries(models));
    for (const name of ["bedrock/amazon.nova", "bedrock_converse/amazon.nova"])
      expect(catalog.price(name)?.entry).toBe("amazon.nova");
    expect(catalog.price("cohere/command")?.entry).toBe("command");
    expect(catalog.price("openai/instruct")?.entry).toBe("instruct");
  });

  it("of a fine-tune finds the entry for all of its model, unless it is one of its own", () => {
    const own = "ft:gpt-4o-mini-2024-07-18:acme:own:1";
    const entries = {
      "ft:gpt-4o-mini-2024-07-18": { ...plain, litellm_provider: "openai" },
      [own]: plain,
      "gpt-4o": plain,
    };
    const catalog = priceCatalog.fromLiteLLM(entries);
    for (const name of [
      "ft:gpt-4o-mini-2024-07-18:acme::8Xx2",
      "openai/ft:gpt-4o-mini-2024-07-18:acme:a:b:ckpt-step-9",
    ])
      expect(catalog.price(name)?.entry).toBe("ft:gpt-4o-mini-2024-07-18");
    expect(catalog.price(own)?.entry).toBe(own);
    const elsewhere = "azure/ft:gpt-4o-mini-2024-07-18:acme::8Xx2";
    for (const unknown of ["ft:gpt-4o:acme::1", "ft:", "ft::", "gpt-4o:acme", elsewhere])
      expect(catalog.price(unknown)).toBeUndefined();
  });

  it("that is an id finds that entry before any with its provider", () => {
    expect(entry("openai/o3")).toBe("openai/o3");
    expect(entry("o3")).toBe("o3");
  });

  it("may be an alias, which never goes before the catalog's own", () => {
    const aliased = priceCatalog.withAliases(priceCatalog.fromLiteLLM(list), {
      fast: "openai/gpt-4o",
      "gpt-4o": "o3",
    });
    expect(aliased.price("fast")?.entry).toBe("gpt-4o");
    expect(aliased.price("gpt-4o")?.entry).toBe("gpt-4o");
    expect(aliased.price("slow")).toBeUndefined();
    expect(() => priceCatalog.withAliases(aliased, { slow: "gpt-9" })).toThrow(
      "aliases.slow: a model of the catalog",
    );
  });
});
