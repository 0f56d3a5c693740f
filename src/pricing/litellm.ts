import { ValidationError } from "../model/errors.js";
import { decimalOf } from "../model/money.js";
import {
  aboveOf,
  checkedPrice,
  dearer,
  type Entry,
  type Fields,
  fieldsOf,
  multiplied,
  priceOf,
  tokensOf,
  withoutRepeats,
} from "./entries.js";
import { namesOf } from "./litellm-names.js";
import type { OffPeakWindow } from "./off-peak.js";
import type { OffPeakInput, PriceInput, RatesInput, ServiceTierInput, TierInput } from "./price.js";

/** What LiteLLM calls a price per token, and what it is called here. */
const PER_TOKEN = new Map<string, keyof RatesInput>([
  ["input_cost_per_token", "inputUsdPerMillion"],
  ["output_cost_per_token", "outputUsdPerMillion"],
  ["output_cost_per_reasoning_token", "reasoningUsdPerMillion"],
  ["input_cost_per_token_cache_hit", "cachedInputUsdPerMillion"],
  ["cache_read_input_token_cost", "cachedInputUsdPerMillion"],
  ["cache_creation_input_token_cost", "cacheWriteUsdPerMillion"],
  ["cache_creation_input_token_cost_above_1hr", "cacheWrite1hUsdPerMillion"],
  ["input_cost_per_audio_token", "audioInputUsdPerMillion"],
  ["output_cost_per_audio_token", "audioOutputUsdPerMillion"],
  ["input_cost_per_image_token", "imageInputUsdPerMillion"],
  ["output_cost_per_image_token", "imageOutputUsdPerMillion"],
]);

/** The same for prices per call and per image. */
const EACH = new Map<string, keyof RatesInput>([
  ["input_cost_per_request", "usdPerRequest"],
  ["input_cost_per_image", "usdPerInputImage"],
  ["output_cost_per_image", "usdPerOutputImage"],
]);

/** What LiteLLM calls the variants of a price, and what providers call the service tiers. */
const SERVICE_TIERS = new Map([
  ["batches", "batch"],
  ["balanced", "balanced"],
  ["flex", "flex"],
  ["priority", "priority"],
  ["ultrafast", "ultrafast"],
]);

/** A price, then above how many tokens it holds, then the variant. */
const FIELD = new RegExp(
  `^(.+?)(?:_above_(\\d+)(k?)_tokens)?(?:_(${[...SERVICE_TIERS.keys()].join("|")}))?$`,
);

/** A field that is a price, taken apart. */
interface PriceField {
  readonly rate: keyof RatesInput;
  readonly value: string;
  readonly aboveInputTokens: number | undefined;
  readonly serviceTier: string | undefined;
}

/**
 * The entries of LiteLLM's price list.
 *
 * @throws ValidationError naming model and field of what is wrong
 */
export function liteLLMEntries(json: unknown): Entry[] {
  const models = fieldsOf(json, "prices", "LiteLLM's prices by model id");
  return [...models].flatMap(([id, value]) => {
    if (id === "sample_spec") return [];
    const field = `prices.${id}`;
    const fields = fieldsOf(value, field, "the prices of a model");
    if (fields.has("models")) {
      const expected = "the prices of a model; a provider with its models is of models.dev's list";
      throw new ValidationError([{ field, expected }]);
    }
    const price = priceInput(fields, field);
    return price === undefined ? [] : [{ id, price: checkedPrice(price, field), names: namesOf(id, fields) }];
  });
}

function priceInput(fields: Fields, path: string): PriceInput | undefined {
  const listed = priceFields(fields, path);
  const prices = [...listed, ...fastFields(listed, fields.get("provider_specific_entry"), path)];
  const ranges = tieredPricing(fields.get("tiered_pricing"), `${path}.tiered_pricing`);
  const usdPerSearch = searchPrice(fields.get("search_context_cost_per_query"), path);
  const written = [
    ...prices.map(({ value }) => value),
    ...(usdPerSearch === undefined ? [] : [usdPerSearch]),
  ];
  const isPriced = ranges.length > 0 || written.some(isNotZero);
  // All prices zero: a free model, unless it is charged by something else, such as the query or the pixel.
  if (!isPriced && (written.length === 0 || hasOtherPrice(fields))) return undefined;

  const base = withoutRepeats(ratesOf(prices.filter(isStandard), undefined));
  const [first, ...longer] = ranges.map((range) => withDefaults(range, base));
  const standard = { ...base, ...(first && ratesAlone(first)) };
  const serviceTiers = serviceTiersOf(prices);
  const offPeak = offPeakOf(fields.get("off_peak_pricing"), `${path}.off_peak_pricing`);
  const maxOutputTokens = tokensOf(fields.get("max_output_tokens")) ?? tokensOf(fields.get("max_tokens"));
  return {
    ...standard,
    ...wholes(standard),
    ...(usdPerSearch !== undefined && { usdPerSearch }),
    tiers: ranges.length > 0 ? longer : tiersOf(prices.filter(isStandard)),
    ...(serviceTiers !== undefined && { serviceTiers }),
    ...(offPeak !== undefined && { offPeak }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
  };
}

function isNotZero(usd: string): boolean {
  return decimalOf(usd)?.digits !== 0n;
}

/** Whether a price stands there that is not zero, of whatever is counted. */
function hasOtherPrice(fields: Fields): boolean {
  return [...fields].some(
    ([name, value]) => name.includes("_cost_per_") && typeof value === "number" && value > 0,
  );
}

/**
 * The prices of plain input and output. Where an entry has none, for it is about audio or images, text costs what the
 * dearer of these do.
 */
function wholes(rates: RatesInput): {
  inputUsdPerMillion: string | number;
  outputUsdPerMillion: string | number;
} {
  const {
    audioInputUsdPerMillion,
    imageInputUsdPerMillion,
    audioOutputUsdPerMillion,
    imageOutputUsdPerMillion,
  } = rates;
  return {
    inputUsdPerMillion:
      rates.inputUsdPerMillion ?? dearer(text(audioInputUsdPerMillion), text(imageInputUsdPerMillion)) ?? 0,
    outputUsdPerMillion:
      rates.outputUsdPerMillion ??
      dearer(text(audioOutputUsdPerMillion), text(imageOutputUsdPerMillion)) ??
      0,
  };
}

function text(price: string | number | undefined): string | undefined {
  return price === undefined ? undefined : String(price);
}

function isStandard({ serviceTier }: PriceField): boolean {
  return serviceTier === undefined;
}

function priceFields(fields: Fields, path: string): PriceField[] {
  return [...fields].flatMap(([name, value]) => {
    const [, price = "", above, thousands, variant] = FIELD.exec(name) ?? [];
    const perToken = PER_TOKEN.get(price);
    const rate = perToken ?? EACH.get(price);
    if (rate === undefined) return [];
    const usd = priceOf(value, `${path}.${name}`, perToken === undefined ? 0 : 6);
    // Two names for one price: where an entry has both, the more common one counts.
    if (
      usd === undefined ||
      (price === "input_cost_per_token_cache_hit" && fields.has("cache_read_input_token_cost"))
    ) {
      return [];
    }
    const threshold = Number(above) * (thousands ? 1_000 : 1);
    const aboveInputTokens =
      above === undefined ? undefined : aboveOf(threshold, fields.get("litellm_provider"));
    const serviceTier = variant === undefined ? undefined : SERVICE_TIERS.get(variant);
    return [{ rate, value: usd, aboveInputTokens, serviceTier }];
  });
}

/** Anthropic's fast mode as a service tier: so many times the standard price of every token, also of long prompts. */
function fastFields(prices: readonly PriceField[], entry: unknown, path: string): PriceField[] {
  const factor: unknown = Object(entry).fast;
  if (factor === undefined) return [];
  const times = typeof factor === "number" ? decimalOf(factor) : undefined;
  if (times === undefined) {
    const expected = "a non-negative finite number of times the standard price";
    throw new ValidationError([{ field: `${path}.provider_specific_entry.fast`, expected }]);
  }
  const perToken = prices.filter((price) => isStandard(price) && price.rate.endsWith("PerMillion"));
  return perToken.map((price) => ({ ...price, value: multiplied(price.value, times), serviceTier: "fast" }));
}

/** The prices for prompts above that many tokens, or for all. */
function ratesOf(prices: readonly PriceField[], aboveInputTokens: number | undefined): RatesInput {
  const here = prices.filter((price) => price.aboveInputTokens === aboveInputTokens);
  return Object.fromEntries(here.map(({ rate, value }) => [rate, value]));
}

function tiersOf(prices: readonly PriceField[]): TierInput[] {
  const thresholds = new Set(prices.map(({ aboveInputTokens }) => aboveInputTokens));
  return [...thresholds].flatMap((aboveInputTokens) =>
    aboveInputTokens === undefined ? [] : [{ aboveInputTokens, ...ratesOf(prices, aboveInputTokens) }],
  );
}

function serviceTiersOf(prices: readonly PriceField[]): Record<string, ServiceTierInput> | undefined {
  const names = new Set(prices.flatMap(({ serviceTier }) => serviceTier ?? []));
  if (names.size === 0) return undefined;
  return Object.fromEntries(
    [...names].map((name) => {
      const own = prices.filter(({ serviceTier }) => serviceTier === name);
      return [name, { ...ratesOf(own, undefined), tiers: tiersOf(own) }];
    }),
  );
}

/** `tiered_pricing`: a list of prices, each for a `range` of input tokens, its start not within it. */
function tieredPricing(value: unknown, path: string): TierInput[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new ValidationError([{ field: path, expected: "a list of prices by range" }]);
  const tiers = value.flatMap((item, i) => {
    const field = `${path}[${i}]`;
    const fields = fieldsOf(item, field, "prices and their range");
    const rates = ratesOf(priceFields(fields, field), undefined);
    // Of another kind, such as prices of a search by how much it finds.
    if (Object.keys(rates).length === 0) return [];
    const range = fields.get("range");
    const from: unknown = Array.isArray(range) ? range[0] : undefined;
    if (typeof from !== "number" || !Number.isSafeInteger(from) || from < 0) {
      throw new ValidationError([{ field: `${field}.range`, expected: "two counts of tokens" }]);
    }
    return [{ aboveInputTokens: from, ...rates }];
  });
  return tiers.sort((a, b) => a.aboveInputTokens - b.aboveInputTokens);
}

/** Fills in what a range leaves out: as its own input or output price, and as the model's where it has neither. */
function withDefaults(tier: TierInput, model: RatesInput): TierInput {
  const input = tier.inputUsdPerMillion ?? model.inputUsdPerMillion;
  const output = tier.outputUsdPerMillion ?? model.outputUsdPerMillion;
  const cacheWrite = tier.cacheWriteUsdPerMillion ?? input;
  return {
    ...tier,
    inputUsdPerMillion: input,
    outputUsdPerMillion: output,
    cachedInputUsdPerMillion: tier.cachedInputUsdPerMillion ?? input,
    cacheWriteUsdPerMillion: cacheWrite,
    cacheWrite1hUsdPerMillion: tier.cacheWrite1hUsdPerMillion ?? cacheWrite,
    reasoningUsdPerMillion:
      tier.reasoningUsdPerMillion ?? tier.outputUsdPerMillion ?? model.reasoningUsdPerMillion ?? output,
  };
}

function ratesAlone({ aboveInputTokens: _, ...rates }: TierInput): RatesInput {
  return rates;
}

/**
 * The price of a search. It has three, by how much of the web is put into the context: the medium one is the providers'
 * default.
 */
function searchPrice(value: unknown, path: string): string | undefined {
  if (value === undefined) return undefined;
  const field = `${path}.search_context_cost_per_query`;
  const sizes = fieldsOf(value, field, "prices by size of the context");
  const [low, medium, high] = ["low", "medium", "high"].map((size) => {
    const name = `search_context_size_${size}`;
    return priceOf(sizes.get(name), `${field}.${name}`);
  });
  return medium ?? high ?? low;
}

const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/** @see https://docs.litellm.ai/docs/proxy/off_peak_pricing */
function offPeakOf(value: unknown, path: string): OffPeakInput | undefined {
  if (value === undefined) return undefined;
  const fields = fieldsOf(value, path, "prices and their hours");
  const rules = fields.get("windows") ?? [];
  if (!Array.isArray(rules)) throw new ValidationError([{ field: `${path}.windows`, expected: "a list" }]);
  const windows = [
    ...windowsOf(fields),
    ...rules.flatMap((rule, i) => windowsOf(fieldsOf(rule, `${path}.windows[${i}]`, "hours and weekdays"))),
  ];
  const weekdayTimeZone = fields.get("weekday_timezone");
  return {
    ...ratesOf(priceFields(fields, path), undefined),
    windows,
    // The schema of prices says what is wrong with it.
    ...(weekdayTimeZone !== undefined && { weekdayTimeZone: String(weekdayTimeZone) }),
  };
}

function windowsOf(fields: Fields): OffPeakWindow[] {
  const hours = fields.get("hours_utc") ?? [];
  const weekdays = fields.get("weekdays");
  return (Array.isArray(hours) ? hours : [hours]).map((hoursUtc) => ({
    hoursUtc: String(hoursUtc).replaceAll(" ", ""),
    ...(weekdays !== undefined && {
      weekdays: (Array.isArray(weekdays) ? weekdays : [weekdays]).map(weekdayOf),
    }),
  }));
}

/**
 * A weekday as 1 to 7, from that number or the first letters of its name. 0 for anything else, which the schema of
 * prices refuses.
 */
function weekdayOf(day: unknown): number {
  if (typeof day === "number") return day;
  return WEEKDAYS.indexOf(String(day).trim().toLowerCase().slice(0, 3)) + 1;
}
