import { z } from "zod";
import { ValidationError } from "../model/errors.js";
import { parse } from "../model/validation.js";
import { compile, type ModelPrice, type PriceInput, priceInputSchema } from "./price.js";

/** Where the gate looks up what a model costs. */
export interface PriceCatalog {
  /** The price of exactly this model id; undefined where none is known. */
  price(model: string): ModelPrice | undefined;
}

/** Ways to make a {@link PriceCatalog}. */
export const priceCatalog = { of, merge } as const;

const pricesSchema = z.map(z.string(), priceInputSchema);

/**
 * A catalog written by hand.
 *
 * @param prices What each model costs, by model id.
 * @throws ValidationError naming model and field of each price that is wrong, and of each field that is not known.
 */
function of(prices: Readonly<Record<string, PriceInput>>): PriceCatalog {
  if (typeof prices !== "object" || prices === null || Array.isArray(prices)) {
    throw new ValidationError([{ field: "prices", expected: "prices by model id" }]);
  }
  // Maps both, so that no model id is special: not `__proto__`, not `constructor`.
  const inputs = parse(pricesSchema, new Map(Object.entries(prices)), "prices");
  const compiled = new Map([...inputs].map(([model, input]) => [model, compile(input)]));
  return { price: (model) => compiled.get(model) };
}

/** All of the catalogs as one. Where several price a model, the last of them does. */
function merge(...catalogs: readonly PriceCatalog[]): PriceCatalog {
  const lastFirst = catalogs.toReversed();
  return {
    price(model) {
      for (const catalog of lastFirst) {
        const price = catalog.price(model);
        if (price !== undefined) return price;
      }
      return undefined;
    },
  };
}
