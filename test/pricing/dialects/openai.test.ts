import fc from "fast-check";
import { fromOpenAI, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

/** The details of a prompt as LiteLLM tells them of Anthropic's cache. */
function litellm(cache_creation_tokens: number | undefined, cache_creation_token_details: object) {
  return { cached_tokens: 0, cache_creation_tokens, cache_creation_token_details };
}

describe("fromOpenAI", () => {
  it("takes the counts of chat completions: the prompt contains the cached tokens, the completion the reasoning", () => {
    const usage = {
      prompt_tokens: 2_006,
      completion_tokens: 300,
      total_tokens: 2_306,
      prompt_tokens_details: { cached_tokens: 1_920, audio_tokens: 0, cache_write_tokens: 50 },
      completion_tokens_details: {
        reasoning_tokens: 192,
        audio_tokens: 20,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    };
    expect(fromOpenAI(usage)).toEqual({
      inputTokens: 2_006,
      cachedInputTokens: 1_920,
      cacheWriteTokens: 50,
      outputTokens: 300,
      reasoningTokens: 192,
      audioOutputTokens: 20,
    });
  });

  it("takes the counts of responses", () => {
    const usage = {
      input_tokens: 36,
      input_tokens_details: { cached_tokens: 12 },
      output_tokens: 87,
      output_tokens_details: { reasoning_tokens: 64 },
      total_tokens: 123,
    };
    expect(fromOpenAI(usage)).toEqual({
      inputTokens: 36,
      cachedInputTokens: 12,
      outputTokens: 87,
      reasoningTokens: 64,
    });
  });

  it("takes the counts of images", () => {
    const usage = {
      input_tokens: 50,
      input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      output_tokens: 4_160,
      output_tokens_details: { image_tokens: 4_160, text_tokens: 0 },
      total_tokens: 4_210,
    };
    expect(fromOpenAI(usage)).toMatchObject({ imageInputTokens: 40, imageOutputTokens: 4_160 });
  });

  it("takes the parts that transcriptions and realtime sessions name after one token", () => {
    const parts = { text_tokens: 100, audio_tokens: 900 };
    const realtime = {
      total_tokens: 2_000,
      input_tokens: 1_000,
      output_tokens: 1_000,
      input_token_details: { ...parts, cached_tokens: 100 },
      output_token_details: parts,
    };
    const told = {
      inputTokens: 1_000,
      cachedInputTokens: 100,
      audioInputTokens: 900,
      outputTokens: 1_000,
      audioOutputTokens: 900,
    };
    expect(fromOpenAI(realtime)).toEqual(told);
    const chat = { prompt_tokens: 9, completion_tokens: 5, prompt_token_details: { cached_tokens: 8 } };
    expect(fromOpenAI(chat)).toMatchObject({ cachedInputTokens: 8 });
    const both = { ...realtime, input_tokens_details: { cached_tokens: 7 } };
    expect(fromOpenAI(both)).toMatchObject({ cachedInputTokens: 7 });
    expect(() => fromOpenAI({ ...realtime, output_token_details: 5 })).toThrow("usage.output_token_details");
  });

  it("takes what of the cache was audio and images from realtime sessions, which tell it", () => {
    const realtime = (cached_tokens_details?: object) => ({
      input_tokens: 1_000,
      output_tokens: 5,
      input_token_details: {
        text_tokens: 100,
        audio_tokens: 700,
        image_tokens: 200,
        cached_tokens: 800,
        cached_tokens_details,
      },
    });
    expect(fromOpenAI(realtime({ text_tokens: 50, audio_tokens: 600, image_tokens: 150 }))).toMatchObject({
      cachedInputTokens: 800,
      audioInputTokens: 100,
      imageInputTokens: 50,
    });
    expect(fromOpenAI(realtime())).toMatchObject({ cachedInputTokens: 800, audioInputTokens: 200 });
    expect(fromOpenAI(realtime())).not.toHaveProperty("imageInputTokens");
  });

  const CHAT = { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105 };

  it.each<[whose: string, usage: object, cached: number | undefined]>([
    ["DeepSeek's", { ...CHAT, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }, 64],
    ["Kimi's, of the whole prompt", { ...CHAT, cached_tokens: 100 }, 100],
    [
      "all",
      { ...CHAT, cached_tokens: 9, prompt_cache_hit_tokens: 8, prompt_tokens_details: { cached_tokens: 7 } },
      7,
    ],
    ["two", { ...CHAT, cached_tokens: 9, prompt_cache_hit_tokens: 8, prompt_tokens_details: {} }, 8],
    ["one of zero", { ...CHAT, cached_tokens: 9, prompt_tokens_details: { cached_tokens: 0 } }, undefined],
    ["one too many for the prompt", { ...CHAT, cached_tokens: 101 }, undefined],
    ["one beside other names", { input_tokens: 100, output_tokens: 5, cached_tokens: 90 }, undefined],
  ])("takes what was read from the cache where it stands beside the prompt: %s", (_whose, usage, cached) => {
    expect(fromOpenAI(usage)).toMatchObject({ inputTokens: 100 });
    expect(fromOpenAI(usage).cachedInputTokens).toBe(cached);
  });

  it.each<[whose: string, usage: object, written: number | undefined]>([
    ["LiteLLM's", { ...CHAT, cache_creation_input_tokens: 90, cache_read_input_tokens: 0 }, 90],
    [
      "LiteLLM's details",
      { ...CHAT, prompt_tokens_details: { cached_tokens: 10, cache_creation_tokens: 80 } },
      80,
    ],
    [
      "all",
      {
        ...CHAT,
        cache_creation_input_tokens: 9,
        prompt_tokens_details: { cache_write_tokens: 7, cache_creation_tokens: 8 },
      },
      7,
    ],
    [
      "two",
      { ...CHAT, cache_creation_input_tokens: 9, prompt_tokens_details: { cache_creation_tokens: 8 } },
      8,
    ],
    [
      "one too many for the prompt",
      { ...CHAT, cache_creation_input_tokens: 91, cached_tokens: 10 },
      undefined,
    ],
    [
      "one beside other names",
      { input_tokens: 100, output_tokens: 5, cache_creation_input_tokens: 90 },
      undefined,
    ],
  ])("takes what was written to the cache under the names of others: %s", (_whose, usage, written) => {
    expect(fromOpenAI(usage)).toMatchObject({ inputTokens: 100 });
    expect(fromOpenAI(usage).cacheWriteTokens).toBe(written);
  });

  it.each<[whose: string, details: object, written: number | undefined, written1h: number | undefined]>([
    [
      "Qwen's",
      {
        cached_tokens: 0,
        cache_creation_input_tokens: 90,
        cache_creation: { ephemeral_5m_input_tokens: 90 },
      },
      90,
      undefined,
    ],
    [
      "LiteLLM's of an hour",
      litellm(90, { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 90 }),
      undefined,
      90,
    ],
    ["of both", litellm(90, { ephemeral_5m_input_tokens: 60, ephemeral_1h_input_tokens: 30 }), 60, 30],
    ["of an hour alone", litellm(undefined, { ephemeral_1h_input_tokens: 30 }), undefined, 30],
    [
      "of no lifetime",
      litellm(90, { ephemeral_5m_input_tokens: null, ephemeral_1h_input_tokens: null }),
      90,
      undefined,
    ],
  ])(
    "takes the writes to the cache that the details tell, by their lifetime: %s",
    (_whose, details, written, written1h) => {
      const actual = fromOpenAI({ ...CHAT, prompt_tokens_details: details });
      expect(actual).toMatchObject({ inputTokens: 100, outputTokens: 5 });
      expect([actual.cacheWriteTokens, actual.cacheWrite1hTokens]).toEqual([written, written1h]);
    },
  );

  it("adds reasoning that the output does not contain, as xAI's, where the total says so", () => {
    const xai = {
      prompt_tokens: 10_120,
      completion_tokens: 1_499,
      total_tokens: 14_428,
      prompt_tokens_details: { cached_tokens: 128 },
      completion_tokens_details: { reasoning_tokens: 2_809 },
    };
    expect(fromOpenAI(xai)).toEqual({
      inputTokens: 10_120,
      cachedInputTokens: 128,
      outputTokens: 4_308,
      reasoningTokens: 2_809,
    });
    const told = { outputTokens: 1_499, reasoningTokens: 2_809 };
    expect(fromOpenAI({ ...xai, total_tokens: 11_619 })).toMatchObject(told);
    expect(fromOpenAI({ ...xai, total_tokens: undefined })).toMatchObject(told);
    expect(fromOpenAI({ ...xai, prompt_tokens: undefined, total_tokens: 4_308 })).toMatchObject(told);

    const response = { input_tokens: 7, output_tokens: 2, output_tokens_details: { reasoning_tokens: 3 } };
    expect(fromOpenAI({ ...response, total_tokens: 12 })).toMatchObject({ outputTokens: 5 });
    expect(fromOpenAI({ ...response, total_tokens: 9 })).toMatchObject({ outputTokens: 2 });
  });

  it("adds what the total has beyond input and output, as Gemini's thoughts of which nothing else is told", () => {
    const gemini = { prompt_tokens: 20, completion_tokens: 198, total_tokens: 623 };
    expect(fromOpenAI(gemini)).toEqual({ inputTokens: 20, outputTokens: 603 });
    const reasoned = { ...gemini, completion_tokens_details: { reasoning_tokens: 100 } };
    expect(fromOpenAI(reasoned)).toEqual({ inputTokens: 20, outputTokens: 603, reasoningTokens: 100 });
    expect(fromOpenAI({ ...gemini, total_tokens: 100 })).toEqual({ inputTokens: 20, outputTokens: 198 });
  });

  it("adds to the input what the total has beyond both, where that is what the cache had or no input is told", () => {
    const cached = { prompt_tokens: 20, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 800 } };
    const told = { inputTokens: 820, cachedInputTokens: 800, outputTokens: 5 };
    expect(fromOpenAI({ ...cached, total_tokens: 825 })).toEqual(told);
    const audio = { ...cached.prompt_tokens_details, audio_tokens: 15 };
    expect(fromOpenAI({ ...cached, total_tokens: 825, prompt_tokens_details: audio })).toEqual({
      ...told,
      audioInputTokens: 15,
    });
    // What is more than the prompt is no part of it, even where the total has only the prompt: xAI's Grok 4.1 Fast.
    expect(fromOpenAI({ ...cached, total_tokens: 25 })).toEqual(told);
    const untold = { prompt_tokens: 0, completion_tokens: 5, total_tokens: 805 };
    expect(fromOpenAI(untold)).toEqual({ inputTokens: 800, outputTokens: 5 });
  });

  it("adds to the input the cache that Portkey tells of Anthropic beside the prompt, where the total says that it is beyond", () => {
    const told = { cache_read_input_tokens: 50_000, cache_creation_input_tokens: 10_000 };
    const actual = {
      inputTokens: 60_003,
      cachedInputTokens: 50_000,
      cacheWriteTokens: 10_000,
      outputTokens: 100,
    };
    expect(fromOpenAI({ prompt_tokens: 3, completion_tokens: 100, total_tokens: 60_103, ...told })).toEqual(
      actual,
    );
    expect(
      fromOpenAI({ prompt_tokens: 60_003, completion_tokens: 100, total_tokens: 60_103, ...told }),
    ).toEqual(actual);
  });

  it("adds to the input a cache beside the prompt that is larger than it, as older versions of LiteLLM tell it", () => {
    const litellm = { prompt_tokens: 3, completion_tokens: 550, total_tokens: 553 };
    const told = { cache_creation_input_tokens: 304, cache_read_input_tokens: 12_000 };
    const actual = {
      inputTokens: 12_307,
      cachedInputTokens: 12_000,
      cacheWriteTokens: 304,
      outputTokens: 550,
    };
    expect(fromOpenAI({ ...litellm, ...told })).toEqual(actual);
    expect(fromOpenAI({ ...litellm, ...told, total_tokens: undefined })).toEqual(actual);
    expect(fromOpenAI({ ...litellm, ...told, prompt_tokens_details: { cached_tokens: 12_000 } })).toEqual(
      actual,
    );
    const within = { ...litellm, ...told, prompt_tokens: 12_304, total_tokens: 12_854 };
    expect(fromOpenAI(within)).toEqual({ ...actual, inputTokens: 12_304 });
    expect(fromOpenAI({ ...told, completion_tokens: 550 })).toEqual({ outputTokens: 550 });
  });

  it("adds a cache beside the prompt once where the total includes it, whatever the details say", () => {
    const told = { cache_read_input_tokens: 50_000, cache_creation_input_tokens: 10_000 };
    const usage = { prompt_tokens: 3, completion_tokens: 100, total_tokens: 60_103, ...told };
    const actual = { inputTokens: 60_003, cacheWriteTokens: 10_000, outputTokens: 100 };
    expect(fromOpenAI({ ...usage, prompt_tokens_details: { cached_tokens: 0 } })).toEqual(actual);
    const cached = { ...actual, cachedInputTokens: 50_000 };
    expect(fromOpenAI({ ...usage, completion_tokens: undefined, total_tokens: 60_003 })).toEqual({
      ...cached,
      outputTokens: 0,
    });
    const completion_tokens_details = { reasoning_tokens: 20 };
    const reasoned = { ...cached, reasoningTokens: 20 };
    expect(fromOpenAI({ ...usage, completion_tokens_details })).toEqual(reasoned);
    // Here, the output of 100 excludes the reasoning.
    expect(fromOpenAI({ ...usage, completion_tokens_details, total_tokens: 60_123 })).toEqual({
      ...reasoned,
      outputTokens: 120,
    });
  });

  it("law: input and output are never less than the total, and no more where it has all that is told", () => {
    const tokens = fc.nat({ max: 300 });
    const told = fc.record({
      input: tokens,
      output: tokens,
      reasoning: tokens,
      read: tokens,
      written: tokens,
    });
    fc.assert(
      fc.property(
        told,
        fc.nat({ max: 2_000 }),
        fc.boolean(),
        ({ input, output, reasoning, read, written }, any, hasDetails) => {
          const usage = (total_tokens: number) => ({
            prompt_tokens: input,
            completion_tokens: output,
            total_tokens,
            cache_read_input_tokens: read,
            cache_creation_input_tokens: written,
            completion_tokens_details: { reasoning_tokens: reasoning },
            ...(hasDetails && { prompt_tokens_details: { cached_tokens: 0 } }),
          });
          const sum = (total: number) => {
            const { inputTokens = 0, outputTokens = 0 } = fromOpenAI(usage(total));
            return inputTokens + outputTokens;
          };
          expect(sum(any)).toBeGreaterThanOrEqual(any);
          // As much as the reasoning may be reasoning: then the cache is beyond the total.
          const cache = read + written;
          fc.pre(cache > input && cache !== reasoning);
          for (const total of [input + output + cache, input + output + cache + reasoning]) {
            expect(sum(total)).toBe(total);
          }
        },
      ),
    );
  });

  it("adds to the input the audio that Mistral counts in the total alone", () => {
    const usage = { prompt_audio_seconds: 12, prompt_tokens: 3, total_tokens: 419, completion_tokens: 41 };
    const prompt_tokens_details = { cached_tokens: 0, audio_tokens: 375 };
    expect(fromOpenAI({ text: "Ja.", usage: { ...usage, prompt_tokens_details } })).toEqual({
      inputTokens: 378,
      audioInputTokens: 375,
      outputTokens: 41,
    });
    expect(fromOpenAI(usage)).toEqual({ inputTokens: 378, outputTokens: 41 });
    for (const none of [undefined, null, 0, {}]) {
      const chat = { ...usage, prompt_audio_seconds: none, total_tokens: 44 };
      expect(fromOpenAI(chat)).toEqual({ inputTokens: 3, outputTokens: 41 });
    }
  });

  it("takes Anthropic's searches, which LiteLLM passes on in the usage of a chat", () => {
    const usage = (web_search_requests: unknown) => ({ ...CHAT, server_tool_use: { web_search_requests } });
    const told = { inputTokens: 100, outputTokens: 5 };
    expect(fromOpenAI({ choices: [], usage: usage(2) })).toEqual({ ...told, searches: 2 });
    expect(fromOpenAI(usage(0))).toEqual({ ...told, searches: 0 });
    expect(fromOpenAI(usage(null))).toEqual(told);
    expect(() => fromOpenAI(usage(1_000_001))).toThrow("usage.server_tool_use.web_search_requests");
  });

  it("adds to the output what is as much as the reasoning, whatever the cache had", () => {
    const usage = {
      prompt_tokens: 1_000,
      completion_tokens: 9,
      total_tokens: 1_137,
      prompt_tokens_details: { cached_tokens: 128 },
      completion_tokens_details: { reasoning_tokens: 128 },
    };
    const told = { cachedInputTokens: 128, outputTokens: 137, reasoningTokens: 128 };
    expect(fromOpenAI(usage)).toEqual({ inputTokens: 1_000, ...told });
  });

  it("takes the output of images for images where its parts are not told", () => {
    const usage = { input_tokens: 50, output_tokens: 4_160, total_tokens: 4_210 };
    const told = { ...usage, output_tokens_details: { image_tokens: 4_000, text_tokens: 160 } };
    const data = [{ b64_json: "iVBORw0KGgo=" }];
    expect(fromOpenAI({ created: 1, data, usage }).imageOutputTokens).toBe(4_160);
    expect(fromOpenAI({ created: 1, data, usage: told }).imageOutputTokens).toBe(4_000);
    const byAddress = { created: 1, data: [{ url: "https://images.example/1.png" }], usage };
    expect(fromOpenAI(byAddress).imageOutputTokens).toBe(4_160);
    expect(fromOpenAI({ object: "list", data: [{ embedding: [1] }], usage })).not.toHaveProperty(
      "imageOutputTokens",
    );
  });

  it("gives the total of an embedding as its input, and no output", () => {
    expect(fromOpenAI({ prompt_tokens: 8, total_tokens: 8 })).toEqual({ inputTokens: 8, outputTokens: 0 });
  });

  it("takes the total for the input where an embedding or a ranking tells it alone, and no other answer's", () => {
    const usage = { total_tokens: 26 };
    const told = { inputTokens: 26, outputTokens: 0 };
    expect(fromOpenAI({ object: "list", data: [{ embedding: [0.5] }], usage })).toEqual(told);
    expect(fromOpenAI({ model: "rerank", results: [{ index: 0, relevance_score: 0.9 }], usage })).toEqual(
      told,
    );
    expect(fromOpenAI({ choices: [], usage })).toEqual({});
    expect(fromOpenAI(usage)).toEqual({});
    const answered = { results: [{ index: 0 }], usage: { ...usage, completion_tokens: 5 } };
    expect(fromOpenAI(answered)).toEqual({ outputTokens: 5 });
  });

  it("counts cached tokens as text first: no audio is cheaper than it may be", () => {
    const usage = (cached_tokens: number) => ({
      prompt_tokens: 100,
      completion_tokens: 1,
      prompt_tokens_details: { cached_tokens, audio_tokens: 50 },
    });
    expect(fromOpenAI(usage(50))).toMatchObject({ cachedInputTokens: 50, audioInputTokens: 50 });
    expect(fromOpenAI(usage(70))).toMatchObject({ cachedInputTokens: 70, audioInputTokens: 30 });
    expect(fromOpenAI(usage(100))).not.toHaveProperty("audioInputTokens");
  });

  it("counts tokens written to the cache as text first, too", () => {
    const prompt_tokens_details = { cached_tokens: 20, cache_write_tokens: 50, audio_tokens: 50 };
    expect(fromOpenAI({ prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details })).toMatchObject({
      ...{ cachedInputTokens: 20, cacheWriteTokens: 50, audioInputTokens: 30 },
    });
  });

  it("takes what the total has beyond the input for the output where none is told, be it as much as was cached", () => {
    const usage = { prompt_tokens: 10, total_tokens: 15, prompt_tokens_details: { cached_tokens: 5 } };
    expect(fromOpenAI(usage)).toEqual({ inputTokens: 10, cachedInputTokens: 5, outputTokens: 5 });
  });

  it("keeps a zero, and says nothing of what is not told", () => {
    expect(fromOpenAI({ prompt_tokens: 0, completion_tokens: 0 })).toEqual({
      inputTokens: 0,
      outputTokens: 0,
    });
    expect(fromOpenAI({ completion_tokens: 5, prompt_tokens_details: null })).toEqual({ outputTokens: 5 });
    expect(fromOpenAI(undefined)).toEqual({});
    expect(fromOpenAI(null)).toEqual({});
    expect(fromOpenAI({ object: "chat.completion", choices: [], service_tier: "flex" })).toEqual({
      serviceTier: "flex",
    });
    for (const answer of [{ choices: [] }, { object: "response" }, { data: [] }, { results: [] }])
      expect(fromOpenAI(answer)).toEqual({});
  });

  it("says nothing of answers that are charged by the image or the second", () => {
    expect(fromOpenAI({ created: 1, data: [{ url: "https://images.example/1" }] })).toEqual({});
    const seconds = { type: "duration", seconds: 12 };
    expect(fromOpenAI({ text: "Hello", usage: seconds })).toEqual({});
    expect(fromOpenAI(seconds)).toEqual({});
    expect(fromOpenAI({ text: "Hello" })).toEqual({});
    const usage = { type: "tokens", input_tokens: 14, output_tokens: 2, total_tokens: 16 };
    expect(fromOpenAI({ text: "Hello", usage })).toEqual({ inputTokens: 14, outputTokens: 2 });
  });

  it("passes over fields that it does not know", () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1, queue_time: 0.5, cost: "x" };
    expect(fromOpenAI(usage)).toEqual({ inputTokens: 1, outputTokens: 1 });
  });

  it("takes of a whole answer the service tier, and of a response the searches, too", () => {
    const usage = { input_tokens: 36, output_tokens: 87 };
    const search = { type: "web_search_call", status: "completed", action: { type: "search" } };
    const answer = (output: unknown) => ({ object: "response", service_tier: "flex", output, usage });
    const told = { inputTokens: 36, outputTokens: 87, serviceTier: "flex" };
    expect(fromOpenAI(answer(undefined))).toEqual(told);
    expect(fromOpenAI(answer([]))).toEqual({ ...told, searches: 0 });
    const others = [
      { ...search, action: { type: "open_page" } },
      { ...search, status: "failed" },
      { type: "message" },
      null,
    ];
    expect(fromOpenAI(answer([search, ...others, { type: "web_search_call" }]))).toEqual({
      ...told,
      searches: 2,
    });
    expect(fromOpenAI({ usage: null, service_tier: "default" })).toEqual({ serviceTier: "default" });
    for (const none of [5, "", "a b"])
      expect(fromOpenAI({ usage, service_tier: none })).toEqual({ inputTokens: 36, outputTokens: 87 });
    // What was asked for, not what it came to.
    expect(fromOpenAI({ usage, service_tier: "auto" })).toEqual({ inputTokens: 36, outputTokens: 87 });
    expect(() => fromOpenAI({ usage: { input_tokens: -1 } })).toThrow("usage.input_tokens");
  });

  it("takes the names that have counts, where an answer has both and zeros under one of them", () => {
    const zeros = { prompt_tokens: 0, completion_tokens: 0 };
    const counts = { input_tokens: 500, output_tokens: 20, input_tokens_details: { cached_tokens: 7 } };
    const told = { inputTokens: 500, cachedInputTokens: 7, outputTokens: 20 };
    expect(fromOpenAI({ ...zeros, ...counts, total_tokens: 520 })).toEqual(told);
    expect(fromOpenAI({ prompt_tokens: 3, completion_tokens: 1, input_tokens: 0, output_tokens: 0 })).toEqual(
      {
        inputTokens: 3,
        outputTokens: 1,
      },
    );
  });

  it.each<[unknown, string]>([
    [{ prompt_tokens: -1 }, "usage.prompt_tokens"],
    [{ prompt_tokens: "12" }, "usage.prompt_tokens"],
    [{ prompt_tokens: 1, completion_tokens: 0.5 }, "usage.completion_tokens"],
    [{ prompt_tokens: 1, completion_tokens: Number.NaN }, "usage.completion_tokens"],
    [
      { prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 1e13 } },
      "usage.prompt_tokens_details.cached_tokens",
    ],
    [{ prompt_tokens: 1, prompt_tokens_details: 5 }, "usage.prompt_tokens_details"],
    [{ input_tokens: 1, output_tokens_details: [] }, "usage.output_tokens_details"],
    [{}, "usage"],
    [{ promptTokenCount: 5 }, "usage"],
    [5, "usage"],
    [[], "usage"],
    ["{}", "usage"],
  ])("refuses %j and names %s", (usage, field) => {
    expect(() => fromOpenAI(usage)).toThrow(ValidationError);
    expect(() => fromOpenAI(usage)).toThrow(new RegExp(`^${field.replaceAll(".", "\\.")}: `));
  });
});
