import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { costNanoUsd, priceCatalog, type TokenCounts } from "tollgate";
import { expect, test } from "vitest";

/** 218 models in LiteLLM's format; it lies beside the project. */
const LIST = resolve(import.meta.dirname, "../../../shared/data/litellm-model-prices.json");

const PLACES = 40;

/** A decimal as an integer of 10^-40 US dollars. */
function wide(usd: number): bigint {
  const [mantissa = "", exponent = "0"] = String(usd).split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(PLACES - fraction.length + Number(exponent));
}

type Model = Readonly<Record<string, unknown>>;

const tiersSeen = new Map<Model, { above: string; thousands: string | undefined; tokens: number }[]>();

function tiersOf(model: Model) {
  const seen = tiersSeen.get(model);
  if (seen !== undefined) return seen;
  const tiers = Object.keys(model).flatMap((field) => {
    const [, above, thousands] = /^(?:input|output|cache)\w*_above_(\d+)(k?)_tokens/.exec(field) ?? [];
    return above === undefined ? [] : [{ above, thousands, tokens: Number(above) * (thousands ? 1_000 : 1) }];
  });
  tiersSeen.set(model, tiers);
  return tiers;
}

/** A part that is priced like its whole is not priced apart: where a tier or a variant prices the whole anew, so is the part. */
const WHOLES: Readonly<Record<string, string>> = {
  output_cost_per_reasoning_token: "output_cost_per_token",
  input_cost_per_audio_token: "input_cost_per_token",
};

/** The price that a call has by the names of LiteLLM's fields: by variant and by tier of the prompt. */
function rate(model: Model, name: string, prompt: number, variant: string): number | undefined {
  const isApart = (field: string) => model[field] !== model[WHOLES[field] ?? ""];
  const price = (field: string) =>
    typeof model[field] === "number" && isApart(field) ? model[field] : undefined;
  const passed = tiersOf(model)
    // Those of xAI hold from there on.
    .filter(({ tokens }) => prompt > tokens || (model.litellm_provider === "xai" && prompt === tokens))
    .sort((a, b) => b.tokens - a.tokens);
  // Of several tiers that are passed, the highest prices the call; what it leaves out is as for all prompts.
  const tier = passed[0];
  const priceOf = (field: string) => (variant ? price(`${field}${variant}`) : undefined) ?? price(field);
  const ofTier = tier && priceOf(`${name}_above_${tier.above}${tier.thousands}_tokens`);
  return ofTier ?? priceOf(name);
}

/** What the documentation of the list says a call costs, in fractions of whole numbers. */
function specCost(model: Model, tokens: TokenCounts, variant: string): number {
  const count = (n: number | undefined) => BigInt(n ?? 0);
  const parts = [
    tokens.cachedInputTokens,
    tokens.cacheWriteTokens,
    tokens.cacheWrite1hTokens,
    tokens.audioInputTokens,
    tokens.imageInputTokens,
  ].reduce<number>((sum, part) => sum + (part ?? 0), 0);
  const of = (name: string) => rate(model, name, tokens.inputTokens, variant);
  const largest = (...names: string[]) => Math.max(0, ...names.map((name) => of(name) ?? 0));
  const input =
    of("input_cost_per_token") ?? largest("input_cost_per_audio_token", "input_cost_per_image_token");
  const output =
    of("output_cost_per_token") ?? largest("output_cost_per_audio_token", "output_cost_per_image_token");
  const write = of("cache_creation_input_token_cost") ?? input;
  const searches = Object(model.search_context_cost_per_query).search_context_size_medium ?? 0;
  const reasoning = count(tokens.reasoningTokens);
  const audioOut = count(tokens.audioOutputTokens);
  const imageOut = count(tokens.imageOutputTokens);
  const sum =
    (count(tokens.inputTokens) - BigInt(parts)) * wide(input) +
    count(tokens.cachedInputTokens) *
      wide(of("cache_read_input_token_cost") ?? of("input_cost_per_token_cache_hit") ?? input) +
    count(tokens.cacheWriteTokens) * wide(write) +
    count(tokens.cacheWrite1hTokens) * wide(of("cache_creation_input_token_cost_above_1hr") ?? write) +
    count(tokens.audioInputTokens) * wide(of("input_cost_per_audio_token") ?? input) +
    count(tokens.imageInputTokens) * wide(of("input_cost_per_image_token") ?? input) +
    (count(tokens.outputTokens) - reasoning - audioOut - imageOut) * wide(output) +
    reasoning * wide(of("output_cost_per_reasoning_token") ?? output) +
    audioOut * wide(of("output_cost_per_audio_token") ?? output) +
    imageOut * wide(of("output_cost_per_image_token") ?? output) +
    count(tokens.inputImages) * wide(of("input_cost_per_image") ?? 0) +
    count(tokens.outputImages) * wide(of("output_cost_per_image") ?? 0) +
    count(tokens.searches) * wide(searches);
  const scale = 10n ** BigInt(PLACES);
  return Number((sum * 1_000_000_000n + scale - 1n) / scale);
}

const GRID: readonly TokenCounts[] = [
  0, 1, 999, 199_999, 200_000, 200_001, 272_000, 272_001, 1_000_003,
].flatMap((inputTokens) =>
  [0, 1, 1_013].flatMap((outputTokens) => {
    const third = Math.floor(inputTokens / 6);
    return [
      { inputTokens, outputTokens },
      {
        inputTokens,
        outputTokens,
        cachedInputTokens: third,
        cacheWriteTokens: third,
        cacheWrite1hTokens: third,
        audioInputTokens: third,
        imageInputTokens: third,
        reasoningTokens: Math.floor(outputTokens / 4),
        audioOutputTokens: Math.floor(outputTokens / 4),
        imageOutputTokens: Math.floor(outputTokens / 4),
        inputImages: 2,
        outputImages: 3,
        searches: 5,
      },
    ];
  }),
);

test("reasoning of the shared price list's Gemini models costs what their output does, in every variant", ({
  skip,
}) => {
  if (!existsSync(LIST)) skip();
  const catalog = priceCatalog.fromLiteLLM(JSON.parse(readFileSync(LIST, "utf8")));
  const cost = (serviceTier: string | undefined, tokens: Partial<TokenCounts>) => {
    const price = catalog.price("gemini/gemini-3.6-flash") ?? catalog.price("gemini-3.6-flash");
    return price && costNanoUsd(price, { inputTokens: 0, outputTokens: 1_000, serviceTier, ...tokens });
  };
  for (const [serviceTier, nanoUsd] of [
    [undefined, 7_500_000],
    ["batch", 3_750_000],
    ["flex", 3_750_000],
    ["priority", 13_500_000],
  ] as const) {
    expect(cost(serviceTier, {})).toBe(nanoUsd);
    expect(cost(serviceTier, { reasoningTokens: 900 })).toBe(nanoUsd);
  }
});

test("every model of the shared price list costs what plain fractions say, in every variant and over a grid of usages", ({
  skip,
}) => {
  if (!existsSync(LIST)) {
    console.warn("skipped: the shared price list is not beside this project, so it is compared with nothing");
    skip();
  }
  const list: Record<string, Model> = JSON.parse(readFileSync(LIST, "utf8"));
  const catalog = priceCatalog.fromLiteLLM(list);
  const unpriced: string[] = [];
  const wrong: unknown[] = [];
  let compared = 0;
  for (const [id, model] of Object.entries(list)) {
    const price = catalog.price(id);
    if (price === undefined) {
      unpriced.push(id);
      continue;
    }
    expect(price.entry).toBe(id);
    for (const [serviceTier, variant] of [
      [undefined, ""],
      ["batch", "_batches"],
      ["flex", "_flex"],
      ["priority", "_priority"],
    ] as const) {
      for (const tokens of GRID) {
        const cost = costNanoUsd(price, { ...tokens, serviceTier });
        const expected = specCost(model, tokens, variant);
        compared++;
        if (cost !== expected) wrong.push({ id, serviceTier, tokens, cost, expected });
      }
    }
  }
  expect(wrong.slice(0, 3)).toEqual([]);
  // Priced by the second.
  expect(unpriced).toEqual(["gpt-realtime-whisper"]);
  expect(compared).toBe(217 * 4 * GRID.length);
});
