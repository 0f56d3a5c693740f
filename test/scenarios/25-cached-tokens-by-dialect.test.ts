import { type Actual, fromAnthropic, fromGemini, fromOpenAI, priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, settled } from "./answers.js";

const everyCounters = await counterAdapters();

/** One call: 10,000 input tokens, of which 8,000 came from the cache, and 500 of output. */
const dialects: readonly [string, Actual][] = [
  [
    "OpenAI, whose prompt contains the cached tokens",
    fromOpenAI({
      prompt_tokens: 10_000,
      completion_tokens: 500,
      total_tokens: 10_500,
      prompt_tokens_details: { cached_tokens: 8_000 },
    }),
  ],
  [
    "Anthropic, whose input does not contain them",
    fromAnthropic({ input_tokens: 2_000, cache_read_input_tokens: 8_000, output_tokens: 500 }),
  ],
  [
    "Gemini, whose prompt contains them and whose output does not contain the thoughts",
    fromGemini({
      promptTokenCount: 10_000,
      cachedContentTokenCount: 8_000,
      candidatesTokenCount: 100,
      thoughtsTokenCount: 400,
      totalTokenCount: 10_500,
    }),
  ],
];

const prices = priceCatalog.of({
  m: { inputUsdPerMillion: 3, cachedInputUsdPerMillion: 0.3, outputUsdPerMillion: 15 },
});

describe.each(everyCounters)("cached tokens (litellm#14849, #40006), %s", (_, make) => {
  it.each(dialects)("are counted once in the dialect of %s", async (_, actual) => {
    const limits = limited({ key: { tpm: 100_000, budget: { usd: 1, reset: "monthly" } } });
    const { gate } = world(limits, { counters: make(), prices });
    const key = { keyId: "k1" };
    const call = { model: "m", inputTokens: 10_000, maxOutputTokens: 1_000 };
    const { reservation } = passed(await gate.admit(key, call));
    const { charged } = settled(await gate.settle(reservation, actual));
    expect(charged).toMatchObject({ inputTokens: 10_000, outputTokens: 500, tokens: 10_500 });
    // 2,000 at 3, 8,000 at 0.30 and 500 at 15 US dollars per million.
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.0159);
  });
});
