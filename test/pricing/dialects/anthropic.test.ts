import { fromAnthropic, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";

describe("fromAnthropic", () => {
  it("adds what the cache gave and took to the input, which does not contain it", () => {
    const usage = {
      input_tokens: 50,
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 1_800,
      cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 },
      output_tokens: 503,
      output_tokens_details: { thinking_tokens: 400 },
      server_tool_use: { web_search_requests: 2 },
      service_tier: "standard",
    };
    expect(fromAnthropic(usage)).toEqual({
      inputTokens: 2_150,
      cachedInputTokens: 1_800,
      cacheWriteTokens: 200,
      cacheWrite1hTokens: 100,
      outputTokens: 503,
      reasoningTokens: 400,
      searches: 2,
      serviceTier: "standard",
    });
  });

  it("takes the fast mode for a service tier", () => {
    const usage = { input_tokens: 1, output_tokens: 2, service_tier: "standard" };
    expect(fromAnthropic({ ...usage, speed: "fast" }).serviceTier).toBe("fast");
    expect(fromAnthropic({ ...usage, speed: "standard" }).serviceTier).toBe("standard");
    expect(fromAnthropic({ ...usage, speed: null }).serviceTier).toBe("standard");
    expect(fromAnthropic({ output_tokens: 2, speed: "standard" }).serviceTier).toBe("standard");
    expect(() => fromAnthropic({ ...usage, speed: 5 })).toThrow("usage.speed: a name");
    const longest = "a-b.c:d".padEnd(100, "_");
    expect(fromAnthropic({ ...usage, service_tier: longest }).serviceTier).toBe(longest);
  });

  it("takes what was written to the cache as short-lived where nothing else is said", () => {
    const usage = {
      input_tokens: 1,
      cache_creation_input_tokens: 10,
      cache_creation: null,
      output_tokens: 2,
    };
    expect(fromAnthropic(usage)).toEqual({ inputTokens: 11, cacheWriteTokens: 10, outputTokens: 2 });
  });

  it("takes the lifetimes for the whole where they are more", () => {
    const usage = {
      input_tokens: 1,
      cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
      output_tokens: 2,
    };
    const told = { inputTokens: 8, cacheWriteTokens: 3, cacheWrite1hTokens: 4, outputTokens: 2 };
    expect(fromAnthropic(usage)).toEqual(told);
    expect(fromAnthropic({ ...usage, cache_creation_input_tokens: 0 })).toEqual(told);
  });

  it("takes what is written beyond the lifetimes for an hour where they tell no other, as at the end of a stream", () => {
    const written = (ephemeral_5m_input_tokens: number, ephemeral_1h_input_tokens: number) => {
      const { cacheWriteTokens, cacheWrite1hTokens } = fromAnthropic({
        input_tokens: 5,
        cache_creation_input_tokens: 300,
        cache_creation: { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens },
        output_tokens: 9,
      });
      return [cacheWriteTokens, cacheWrite1hTokens];
    };
    expect(written(0, 100)).toEqual([undefined, 300]);
    expect(written(1, 100)).toEqual([200, 100]);
    expect(written(0, 0)).toEqual([300, undefined]);
  });

  it("refuses more searches than a settle takes", () => {
    const usage = (web_search_requests: number) => ({
      input_tokens: 5,
      output_tokens: 9,
      server_tool_use: { web_search_requests },
    });
    expect(fromAnthropic(usage(1_000_000))).toMatchObject({ searches: 1_000_000 });
    expect(() => fromAnthropic(usage(1_000_001))).toThrow(
      "usage.server_tool_use.web_search_requests: a whole number from 0 to 1000000",
    );
  });

  it("adds compactions, which are not in the counts, and no pass of another model", () => {
    const usage = {
      input_tokens: 23_000,
      output_tokens: 1_000,
      iterations: [
        {
          type: "compaction",
          input_tokens: 180_000,
          cache_read_input_tokens: 500,
          cache_creation: { ephemeral_1h_input_tokens: 70 },
          output_tokens: 3_500,
        },
        { type: "message", input_tokens: 23_000, output_tokens: 1_000 },
        { type: "advisor_message", model: "claude-opus-5", input_tokens: 9_000, output_tokens: 900 },
        { type: "fallback_message", model: "claude-opus-5", input_tokens: 9_000, output_tokens: 900 },
      ],
    };
    expect(fromAnthropic(usage)).toEqual({
      inputTokens: 23_000 + 180_000 + 500 + 70,
      cachedInputTokens: 500,
      cacheWrite1hTokens: 70,
      outputTokens: 4_500,
    });
    expect(fromAnthropic({ type: "message", usage })).toEqual(fromAnthropic(usage));
    expect(fromAnthropic({ type: "message", usage: null })).toEqual({});
    expect(() =>
      fromAnthropic({ ...usage, iterations: [{ type: "compaction", output_tokens: -1 }] }),
    ).toThrow("usage.iterations[0].output_tokens");
  });

  it("keeps a zero, and says nothing of what is not told", () => {
    expect(fromAnthropic({ input_tokens: 0, output_tokens: 0 })).toEqual({ inputTokens: 0, outputTokens: 0 });
    expect(fromAnthropic({ output_tokens: 7 })).toEqual({ outputTokens: 7 });
    expect(fromAnthropic({ cache_read_input_tokens: 7 })).toEqual({ cachedInputTokens: 7 });
    expect(fromAnthropic(undefined)).toEqual({});
    expect(fromAnthropic(null)).toEqual({});
    for (const answer of [{ content: [] }, { stop_reason: "end_turn" }])
      expect(fromAnthropic({ type: "message", ...answer })).toEqual({});
  });

  it("takes as many tokens together as one call may have", () => {
    const usage = { input_tokens: 1e12 - 1, cache_read_input_tokens: 1 };
    expect(fromAnthropic(usage)).toEqual({ inputTokens: 1e12, cachedInputTokens: 1 });
  });

  it.each<[unknown, string]>([
    [{ input_tokens: -1 }, "usage.input_tokens"],
    [{ input_tokens: 1, cache_read_input_tokens: "5" }, "usage.cache_read_input_tokens"],
    [
      { input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 0.5 } },
      "usage.cache_creation.ephemeral_1h_input_tokens",
    ],
    [{ input_tokens: 1, service_tier: 5 }, "usage.service_tier"],
    [{ input_tokens: 1, service_tier: "x".repeat(101) }, "usage.service_tier"],
    [{ input_tokens: 1e12, cache_read_input_tokens: 1 }, "usage"],
    [{ prompt_tokens: 1 }, "usage"],
    [5, "usage"],
  ])("refuses %j and names %s", (usage, field) => {
    expect(() => fromAnthropic(usage)).toThrow(ValidationError);
    expect(() => fromAnthropic(usage)).toThrow(new RegExp(`^${field.replaceAll(".", "\\.")}: `));
  });
});
