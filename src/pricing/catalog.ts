import * as z from "zod";
import { ValidationError } from "../model/errors.js";
import { parse } from "../model/validation.js";
import { type Entry, fieldsOf, pricesByName } from "./entries.js";
import { liteLLMEntries } from "./litellm.js";
import { fineTuned } from "./litellm-names.js";
import { type ModelsDevOptions, modelsDevEntries } from "./models-dev.js";
import { type ModelPrice, type PriceInput, priceInputSchema } from "./price.js";

/** Where the gate looks up what a model costs. */
export interface PriceCatalog {
  /** The price of the model that has this name; undefined where none is known. Its `entry` says which one that is. */
  price(model: string): ModelPrice | undefined;
}

/** A catalog whose prices can be replaced while the gate is running. */
export interface ReloadablePrices extends PriceCatalog {
  /** Prices every later look-up by this catalog. A call under way is settled at the new prices. */
  replace(catalog: PriceCatalog): void;
}

/** Ways to make a {@link PriceCatalog}. */
export const priceCatalog = { of, fromLiteLLM, fromModelsDev, withAliases, merge, reloadable } as const;

const pricesSchema = z.map(z.string(), priceInputSchema);

/**
 * A catalog written by hand.
 *
 * @param prices What each model costs, by model id.
 * @throws ValidationError naming model and field of each price that is wrong, and of each field that is not known.
 */
function of(prices: Readonly<Record<string, PriceInput>>): PriceCatalog {
  const inputs = parse(pricesSchema, fieldsOf(prices, "prices", "prices by model id"), "prices");
  return catalogOf([...inputs].map(([id, price]) => ({ id, price, names: [] })));
}

/**
 * A catalog of LiteLLM's price list, `model_prices_and_context_window.json`, in US dollars per token.
 *
 * A model is found by its id, by the list's aliases of it, and by its provider before these: the entry `gpt-4o` of the provider `openai` is also
 * `openai/gpt-4o`, unless that is an entry of its own. A fine-tune is found by the entry for all of its model,
 * `ft:gpt-4o-2024-08-06`. Fields that are not known are passed over, as is the entry
 * `sample_spec`, and a model that is priced by neither token, call, image nor search: by the second, say, also with zeros for its tokens.
 *
 * @param json What the file's JSON parses to.
 * @throws ValidationError naming model and field of a price that is not a non-negative finite number, and for models.dev's list
 * @see https://docs.litellm.ai/docs/proxy/custom_pricing
 */
function fromLiteLLM(json: unknown): PriceCatalog {
  const catalog = catalogOf(liteLLMEntries(json));
  return { price: (model) => catalog.price(model) ?? catalog.price(fineTuned(model) ?? model) };
}

/**
 * A catalog of models.dev's `api.json`, in US dollars per million tokens.
 *
 * A model is found by its provider and id, such as `openai/gpt-4o`, and by its id alone where one provider has it or
 * `providers` says which goes first. Fields that are not known are passed over, as is a model without `cost`.
 *
 * @param json What the file's JSON parses to: providers by id, each with its `models` by id.
 * @throws ValidationError naming provider, model and field of a price that is not a non-negative finite number, and for a
 *   provider without `models`, as in LiteLLM's list
 * @see https://models.dev
 */
function fromModelsDev(json: unknown, options: ModelsDevOptions = {}): PriceCatalog {
  return catalogOf(modelsDevEntries(json, options));
}

/**
 * A catalog with more names for what is in it. A name of the catalog's own goes before an alias.
 *
 * @param aliases The model that each name stands for, as the catalog knows it.
 * @throws ValidationError for an alias of a model that the catalog does not know
 */
function withAliases(catalog: PriceCatalog, aliases: Readonly<Record<string, string>>): PriceCatalog {
  const targets = fieldsOf(aliases, "aliases", "models by alias");
  for (const [alias, model] of targets) {
    if (typeof model === "string" && catalog.price(model) !== undefined) continue;
    throw new ValidationError([{ field: `aliases.${alias}`, expected: "a model of the catalog" }]);
  }
  return {
    price(name) {
      const price = catalog.price(name);
      if (price !== undefined) return price;
      const model = targets.get(name);
      return typeof model === "string" ? catalog.price(model) : undefined;
    },
  };
}

/**
 * All of the catalogs as one. Where several price a model, the last of them does.
 *
 * A later catalog also replaces what an earlier one finds under another name: where LiteLLM's list has `openai/gpt-4o` for
 * its entry `gpt-4o`, a price for `gpt-4o` is the price of both. An entry of its own, such as `azure/gpt-4o`, keeps its price.
 */
function merge(...catalogs: readonly PriceCatalog[]): PriceCatalog {
  return {
    price(model) {
      let found: ModelPrice | undefined;
      for (const catalog of catalogs) {
        const entry = found?.entry ?? model;
        found = catalog.price(model) ?? catalog.price(entry) ?? found;
      }
      return found;
    },
  };
}

/**
 * A catalog whose prices can be replaced while a gate uses it.
 *
 * A call that was reserved before keeps what was reserved, until it is settled: then it is charged by the prices of the
 * settle. What cannot be read as a catalog throws where it is made, and leaves the prices as they were.
 */
function reloadable(catalog: PriceCatalog): ReloadablePrices {
  let current = checked(catalog);
  return {
    price: (model) => current.price(model),
    replace(catalog) {
      const before = current;
      current = checked(catalog);
      try {
        current.price("");
      } catch (error) {
        current = before;
        if (!(error instanceof RangeError)) throw error;
        const expected = "a catalog that does not ask the one whose prices it replaces";
        throw new ValidationError([{ field: "catalog", expected }]);
      }
    },
  };
}

function checked(catalog: PriceCatalog): PriceCatalog {
  if (typeof Object(catalog).price === "function") return catalog;
  throw new ValidationError([{ field: "catalog", expected: "an object with price" }]);
}

function catalogOf(entries: readonly Entry[]): PriceCatalog {
  const prices = pricesByName(entries);
  return { price: (model) => prices.get(model) };
}
