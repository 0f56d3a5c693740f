import * as z from "zod";
import { ValidationError } from "../model/errors.js";
import { parse, schemaOf } from "../model/validation.js";
import {
  aboveOf,
  checkedPrice,
  type Entry,
  type Fields,
  fieldsOf,
  priceOf,
  tokensOf,
  withoutRepeats,
} from "./entries.js";
import type { PriceInput, RatesInput, TierInput } from "./price.js";

/** Options of `priceCatalog.fromModelsDev`. */
export interface ModelsDevOptions {
  /**
   * The ids of the providers to take. Default: all. If several have the same model, its id alone finds the first one's.
   */
  readonly providers?: readonly string[] | undefined;
}

const optionsSchema: z.ZodType<ModelsDevOptions> = schemaOf<ModelsDevOptions>()(
  z.strictObject({
    providers: z.array(z.string()).optional(),
  }),
);

/** The names of prices per million tokens at models.dev, and here. */
const RATES = new Map<string, keyof RatesInput>([
  ["input", "inputUsdPerMillion"],
  ["output", "outputUsdPerMillion"],
  ["reasoning", "reasoningUsdPerMillion"],
  ["cache_read", "cachedInputUsdPerMillion"],
  ["cache_write", "cacheWriteUsdPerMillion"],
  ["input_audio", "audioInputUsdPerMillion"],
  ["output_audio", "audioOutputUsdPerMillion"],
]);

/** The threshold of the older form of a tier, `context_over_200k`. */
const CONTEXT_OVER_200K = 200_000;

/**
 * Reads the entries of models.dev's list.
 *
 * @throws ValidationError naming provider, model and field of what is wrong, or a provider that is missing
 */
export function modelsDevEntries(json: unknown, options: ModelsDevOptions): Entry[] {
  const { providers } = parse(optionsSchema, options, "options");
  const all = fieldsOf(json, "prices", "models.dev's providers by id");
  const taken = providers ?? [...all.keys()];
  const found = taken.flatMap((provider) => {
    const field = `prices.${provider}`;
    const models = fieldsOf(all.get(provider), field, "a provider").get("models");
    return [...fieldsOf(models, `${field}.models`, "models by id")].flatMap(([model, value]) => {
      const path = `${field}.models.${model}`;
      const price = priceInput(provider, fieldsOf(value, path, "a model"), path);
      return price === undefined ? [] : [{ provider, model, price: checkedPrice(price, path) }];
    });
  });
  const providersOf = new Map<string, number>();
  for (const { model } of found) providersOf.set(model, (providersOf.get(model) ?? 0) + 1);
  return found.map(({ provider, model, price }) => ({
    id: `${provider}/${model}`,
    price,
    names: providers !== undefined || providersOf.get(model) === 1 ? [model] : [],
  }));
}

function priceInput(provider: string, fields: Fields, path: string): PriceInput | undefined {
  const value = fields.get("cost");
  if (value === undefined) return undefined;
  const cost = fieldsOf(value, `${path}.cost`, "prices");
  const rates = ratesOf(cost, `${path}.cost`);
  const { inputUsdPerMillion, outputUsdPerMillion } = rates;
  if (inputUsdPerMillion === undefined || outputUsdPerMillion === undefined) {
    const missing = inputUsdPerMillion === undefined ? "input" : "output";
    throw new ValidationError([
      { field: `${path}.cost.${missing}`, expected: "a non-negative finite number of US dollars" },
    ]);
  }
  const limit = fieldsOf(fields.get("limit") ?? {}, `${path}.limit`, "limits");
  const maxOutputTokens = tokensOf(limit.get("output"));
  return {
    ...withoutRepeats(rates),
    inputUsdPerMillion,
    outputUsdPerMillion,
    tiers: tiersOf(provider, cost, `${path}.cost`),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
  };
}

function ratesOf(cost: Fields, path: string): RatesInput {
  const rates: RatesInput = {};
  for (const [name, rate] of RATES) {
    const usd = priceOf(cost.get(name), `${path}.${name}`);
    if (usd !== undefined) rates[rate] = usd;
  }
  return rates;
}

/** The `tiers` above a context size, or else `context_over_200k`. Tiers of another kind are ignored. */
function tiersOf(provider: string, cost: Fields, path: string): TierInput[] {
  const list = cost.get("tiers");
  if (list === undefined) {
    const over = cost.get("context_over_200k");
    if (over === undefined) return [];
    const field = `${path}.context_over_200k`;
    const aboveInputTokens = aboveOf(CONTEXT_OVER_200K, provider);
    return [{ aboveInputTokens, ...ratesOf(fieldsOf(over, field, "prices"), field) }];
  }
  if (!Array.isArray(list))
    throw new ValidationError([{ field: `${path}.tiers`, expected: "a list of prices" }]);
  return list.flatMap((item, i) => {
    const field = `${path}.tiers[${i}]`;
    const prices = fieldsOf(item, field, "prices and their tier");
    const tier = fieldsOf(prices.get("tier"), `${field}.tier`, "a kind and a size");
    if (tier.get("type") !== "context") return [];
    const size = tier.get("size");
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
      throw new ValidationError([{ field: `${field}.tier.size`, expected: "a whole number of tokens" }]);
    }
    return [{ aboveInputTokens: aboveOf(size, provider), ...ratesOf(prices, field) }];
  });
}
