import { type Decimal, decimalOf } from "../model/money.js";
import { parse } from "../model/validation.js";
import {
  type ModelPrice,
  type PriceInput,
  type PriceTier,
  type PriceTiers,
  priceInputSchema,
  type RatesInput,
  type TierInput,
  type Usd,
} from "./price.js";
import { mapRates, type Rates } from "./rates.js";

/** The rates of one tier, before all rates of a price are given the same denominator. */
interface DecimalTier {
  readonly aboveInputTokens: number;
  readonly rates: Rates<Decimal>;
}

/**
 * Compiles the price of a model.
 *
 * @param input The price as a person writes it.
 * @param field The name that an error gives the input. Default: `price`.
 * @throws ValidationError naming each field that is wrong or unknown.
 */
export function modelPrice(input: PriceInput, field = "price"): ModelPrice {
  return compile(parse(priceInputSchema, input, field));
}

/**
 * Compiles a price that its schema has accepted.
 *
 * @param entry The id under which the catalog has it.
 */
export function compile(input: PriceInput, entry?: string): ModelPrice {
  const standard = tiersOf([input], [input.tiers]);
  const byServiceTier = Object.entries(input.serviceTiers ?? {}).map(
    ([name, tier]) => [name, tiersOf([input, tier], [input.tiers, tier.tiers])] as const,
  );
  const offPeak = input.offPeak && tiersOf([input], [input.tiers], input.offPeak);

  const all = [standard, offPeak ?? [], ...byServiceTier.map(([, tiers]) => tiers)].flat();
  const places = Math.max(0, ...all.map(({ rates }) => mostPlaces(rates)));
  const exactDenominator = 10n ** BigInt(places);
  return {
    ...(entry !== undefined && { entry }),
    tiers: priceTiers(standard, places),
    ...(byServiceTier.length > 0 && {
      serviceTiers: new Map(byServiceTier.map(([name, tiers]) => [name, priceTiers(tiers, places)])),
    }),
    ...(input.offPeak &&
      offPeak && { offPeak: { hours: input.offPeak, tiers: priceTiers(offPeak, places) } }),
    denominator: Number(exactDenominator),
    exactDenominator,
    ...(input.maxOutputTokens !== undefined && { maxOutputTokens: input.maxOutputTokens }),
  };
}

/**
 * The tiers that result from several writers of prices. A later writer's price goes before an earlier one's, but any
 * price for the tier of a long prompt goes before those for all prompts.
 *
 * @param above Prices that go before all of them, in every tier.
 */
function tiersOf(
  writers: readonly RatesInput[],
  tiers: readonly (readonly TierInput[] | undefined)[],
  above: RatesInput = {},
): [DecimalTier, ...DecimalTier[]] {
  const thresholds = [...new Set(tiers.flatMap((own) => (own ?? []).map((tier) => tier.aboveInputTokens)))];
  return [
    { aboveInputTokens: -1, rates: nanoUsdRates(lastWritten(...writers, above)) },
    ...thresholds
      .sort((a, b) => a - b)
      .map((aboveInputTokens) => {
        const here = tiers.flatMap((own) => highestOf(own ?? [], aboveInputTokens) ?? []);
        return { aboveInputTokens, rates: nanoUsdRates(lastWritten(...writers, ...here, above)) };
      }),
  ];
}

/** The tier of one writer that applies to prompts just above a threshold, which may be another writer's. */
function highestOf(tiers: readonly TierInput[], threshold: number): TierInput | undefined {
  const passed = tiers.filter(({ aboveInputTokens }) => aboveInputTokens <= threshold);
  return passed.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens).at(-1);
}

/** The prices of all writers together. If several wrote the same one, the last counts. */
function lastWritten(...writers: readonly RatesInput[]): RatesInput {
  return Object.assign(
    {},
    ...writers.map((writer) =>
      Object.fromEntries(Object.entries(writer).filter(([, value]) => value !== undefined)),
    ),
  );
}

/** Nano-USD per token, item and call: each price as written, or else its default. */
function nanoUsdRates(written: RatesInput): Rates<Decimal> {
  const input = written.inputUsdPerMillion ?? 0;
  const output = written.outputUsdPerMillion ?? 0;
  const cacheWrite = written.cacheWriteUsdPerMillion ?? input;
  return {
    input: perToken(input),
    cachedInput: perToken(written.cachedInputUsdPerMillion ?? input),
    cacheWrite: perToken(cacheWrite),
    cacheWrite1h: perToken(written.cacheWrite1hUsdPerMillion ?? cacheWrite),
    audioInput: perToken(written.audioInputUsdPerMillion ?? input),
    imageInput: perToken(written.imageInputUsdPerMillion ?? input),
    output: perToken(output),
    reasoning: perToken(written.reasoningUsdPerMillion ?? output),
    audioOutput: perToken(written.audioOutputUsdPerMillion ?? output),
    imageOutput: perToken(written.imageOutputUsdPerMillion ?? output),
    inputImages: each(written.usdPerInputImage ?? 0),
    outputImages: each(written.usdPerOutputImage ?? 0),
    searches: each(written.usdPerSearch ?? 0),
    request: each(written.usdPerRequest ?? 0),
  };
}

/** One US dollar per million tokens is a thousand nano-USD per token. */
function perToken(usdPerMillion: Usd): Decimal {
  return shifted(usdPerMillion, 3);
}

function each(usd: Usd): Decimal {
  return shifted(usd, 9);
}

/** `usd * 10 ** shift`. */
function shifted(usd: Usd, shift: number): Decimal {
  const decimal = decimalOf(usd);
  if (decimal === undefined) throw new TypeError("a price that its schema has not passed");
  const places = decimal.places - shift;
  return places >= 0
    ? { digits: decimal.digits, places }
    : { digits: decimal.digits * 10n ** BigInt(-places), places: 0 };
}

function mostPlaces(rates: Rates<Decimal>): number {
  return Math.max(...Object.values<Decimal>({ ...rates }).map(({ places }) => places));
}

function priceTiers([base, ...longer]: [DecimalTier, ...DecimalTier[]], places: number): PriceTiers {
  return [priceTier(base, places), ...longer.map((tier) => priceTier(tier, places))];
}

function priceTier({ aboveInputTokens, rates }: DecimalTier, places: number): PriceTier {
  const exact = mapRates(rates, (rate) => rate.digits * 10n ** BigInt(places - rate.places));
  return { aboveInputTokens, rates: mapRates(exact, Number), exact };
}
