import * as z from "zod";
import { ValidationError } from "../model/errors.js";
import { having, parse } from "../model/validation.js";
import { type Entry, fieldsOf, pricesByName } from "./entries.js";
import { liteLLMEntries } from "./litellm.js";
import { fineTuned } from "./litellm-names.js";
import { type ModelsDevOptions, modelsDevEntries } from "./models-dev.js";
import { type ModelPrice, type PriceInput, priceInputSchema } from "./price.js";

/** Where the gate looks up what a model costs. */
export interface PriceCatalog {
  /**
   * The price of the model with this name, or `undefined` if none is known. Its `entry` is the id of the entry that was
   * found.
   */
  price(model: string): ModelPrice | undefined;
}

/** A catalog whose prices can be replaced while a gate is running. */
export interface ReloadablePrices extends PriceCatalog {
  /**
   * Replaces the prices for every later look-up. Calls under way are settled at the new prices.
   *
   * @param catalog The catalog to use from now on. It must not look up prices in the one it replaces.
   * @throws ValidationError if `catalog` has no `price` function, or looks up prices in the one it replaces. The prices
   *   then stay as they were.
   */
  replace(catalog: PriceCatalog): void;
}

/** The ways to make a {@link PriceCatalog}. */
export const priceCatalog = { of, fromLiteLLM, fromModelsDev, withAliases, merge, reloadable } as const;

const pricesSchema = z.map(z.string(), priceInputSchema);

/**
 * Makes a catalog from prices written by hand.
 *
 * @param prices What each model costs, by model id.
 * @throws ValidationError naming model and field of each price that is wrong, and each unknown field.
 */
function of(prices: Readonly<Record<string, PriceInput>>): PriceCatalog {
  const inputs = parse(pricesSchema, fieldsOf(prices, "prices", "prices by model id"), "prices");
  return catalogOf([...inputs].map(([id, price]) => ({ id, price, names: [] })));
}

/**
 * Makes a catalog from LiteLLM's price list, `model_prices_and_context_window.json`, in US dollars per token.
 *
 * A model is found by its id, by its aliases in the list, and by each of these with its provider in front: the entry
 * `gpt-4o` of the provider `openai` is also `openai/gpt-4o`, unless that has an entry of its own. A fine-tune is found
 * by the entry for all fine-tunes of its model, such as `ft:gpt-4o-2024-08-06`.
 *
 * Unknown fields are ignored, and so are the entry `sample_spec` and models that are not priced by token, call, image
 * or search. A model priced by something else, such as the second, is ignored even if the list has zeros for its
 * tokens.
 *
 * @param json The parsed JSON of the file.
 * @throws ValidationError naming model and field of a price that is not a non-negative finite number, or is more than
 *   9,000,000 USD; and if `json` is models.dev's list.
 * @see https://docs.litellm.ai/docs/proxy/custom_pricing
 */
function fromLiteLLM(json: unknown): PriceCatalog {
  const catalog = catalogOf(liteLLMEntries(json));
  return { price: (model) => catalog.price(model) ?? catalog.price(fineTuned(model) ?? model) };
}

/**
 * Makes a catalog from models.dev's `api.json`, in US dollars per million tokens.
 *
 * A model is found by its provider and id, such as `openai/gpt-4o`. It is found by its id alone if only one provider
 * has it, or if `providers` says which one goes first. Unknown fields and models without `cost` are ignored.
 *
 * @param json The parsed JSON of the file: providers by id, each with its `models` by id.
 * @param options Which providers to take. Default: all.
 * @throws ValidationError naming provider, model and field of a price that is not a non-negative finite number, or is
 *   more than 9,000,000 USD; and for a provider that is missing or has no `models`, as in LiteLLM's list.
 * @see https://models.dev
 */
function fromModelsDev(json: unknown, options: ModelsDevOptions = {}): PriceCatalog {
  return catalogOf(modelsDevEntries(json, options));
}

/**
 * Adds names to a catalog. A name that the catalog has already goes before an alias.
 *
 * @param aliases The model that each new name stands for, by a name the catalog knows.
 * @throws ValidationError for an alias of a model that the catalog does not know, or if `catalog` has no `price`
 *   function.
 */
function withAliases(catalog: PriceCatalog, aliases: Readonly<Record<string, string>>): PriceCatalog {
  requireCatalog(catalog, "catalog");
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
 * Joins catalogs into one. If several price a model, the last of them counts.
 *
 * A later catalog also overrides what an earlier one finds under another name: if LiteLLM's list has `openai/gpt-4o` as
 * a name of its entry `gpt-4o`, a later price for `gpt-4o` is the price of both. An entry of its own, such as
 * `azure/gpt-4o`, keeps its price.
 *
 * @throws ValidationError naming a catalog without a `price` function.
 */
function merge(...catalogs: readonly PriceCatalog[]): PriceCatalog {
  for (const [place, catalog] of catalogs.entries()) requireCatalog(catalog, `catalogs[${place}]`);
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
 * Makes a catalog whose prices can be replaced while a gate uses it.
 *
 * A call under way keeps what was reserved for it, and is charged at the prices in force when it is settled.
 *
 * @param catalog The catalog to begin with.
 * @throws ValidationError if `catalog` has no `price` function.
 */
function reloadable(catalog: PriceCatalog): ReloadablePrices {
  let current = requireCatalog(catalog, "catalog");
  return {
    price: (model) => current.price(model),
    replace(catalog) {
      const before = current;
      current = requireCatalog(catalog, "catalog");
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

const catalogSchema = having<PriceCatalog>("price");

/** @throws ValidationError naming `field` if it is no catalog: it would otherwise fail with the first call's look-up */
export function requireCatalog(catalog: PriceCatalog, field: string): PriceCatalog {
  return parse(catalogSchema, catalog, field);
}

function catalogOf(entries: readonly Entry[]): PriceCatalog {
  const prices = pricesByName(entries);
  return { price: (model) => prices.get(model) };
}
