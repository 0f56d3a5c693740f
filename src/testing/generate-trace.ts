import { ValidationError } from "../model/errors.js";
import {
  CALLS_PER_MINUTE,
  GAP_SCV,
  INPUT_TOKENS,
  OUTPUT_TOKENS_BY_INPUT,
  type Quantiles,
} from "./conversation-hour.js";
import { type Random, seededRandom } from "./random.js";
import { A_MOMENT, isMoment, type TraceCall } from "./trace.js";

/** Options of {@link generateTrace}. */
export interface GenerateOptions {
  /** The same seed makes the same trace. A whole number. Default: 1. */
  readonly seed?: number | undefined;
  /** The start of the first minute, in epoch milliseconds. Default: 2026-01-14 09:00 UTC, a Wednesday. */
  readonly startsAt?: number | undefined;
  /**
   * The length of the trace in milliseconds, above 0, over which the shape of the hour is stretched. Default: an hour.
   */
  readonly durationMs?: number | undefined;
  /** How much busier than the real hour it is, above 0. Default: 1, about 19,700 calls in an hour. */
  readonly load?: number | undefined;
}

const MINUTE_MS = 60_000;

/**
 * Generates traffic with the shape of a real hour of conversations: its calls per minute, its burstiness, and its
 * tokens, including longer answers to prompts of middle length.
 *
 * @throws ValidationError naming the option that is out of range
 */
export function generateTrace(options: GenerateOptions = {}): TraceCall[] {
  const seed = checked(options.seed ?? 1, "options.seed", Number.isSafeInteger, "a whole number");
  const startsAt = checked(
    options.startsAt ?? Date.UTC(2026, 0, 14, 9),
    "options.startsAt",
    isMoment,
    A_MOMENT,
  );
  const durationMs = checked(
    options.durationMs ?? 60 * MINUTE_MS,
    "options.durationMs",
    isAboveZero,
    "above zero",
  );
  const load = checked(options.load ?? 1, "options.load", isAboveZero, "above zero");
  const random = seededRandom(seed);
  const partMs = durationMs / CALLS_PER_MINUTE.length;
  const calls: TraceCall[] = [];
  for (const [part, perMinute] of CALLS_PER_MINUTE.entries()) {
    const meanGapMs = MINUTE_MS / (perMinute * load);
    // A gap that would reach into the next part is cut there; with 12 parts that adds no call worth speaking of.
    for (let ms = gap(random) * meanGapMs; ms < partMs; ms += gap(random) * meanGapMs) {
      calls.push({ at: Math.floor(startsAt + part * partMs + ms), ...tokens(random) });
    }
  }
  return calls;
}

/** A gap of mean 1 and the squared coefficient of variation of the real hour: one of two exponentials, at random. */
function gap(random: Random): number {
  const mean = random() < FREQUENT ? 1 / (2 * FREQUENT) : 1 / (2 * (1 - FREQUENT));
  return -Math.log(1 - random()) * mean;
}

/** How often a gap is of the shorter kind: with balanced means, what gives {@link GAP_SCV}. */
const FREQUENT = (1 + Math.sqrt((GAP_SCV - 1) / (GAP_SCV + 1))) / 2;

function tokens(random: Random): Pick<TraceCall, "inputTokens" | "outputTokens"> {
  const rank = random();
  const outputs = OUTPUT_TOKENS_BY_INPUT[Math.floor(rank * OUTPUT_TOKENS_BY_INPUT.length)];
  return { inputTokens: quantile(INPUT_TOKENS, rank), outputTokens: quantile(outputs ?? [], random()) };
}

function quantile(quantiles: Quantiles, probability: number): number {
  let [low = 0, lowest = 0] = quantiles[0] ?? [];
  for (const [high, highest] of quantiles) {
    if (probability < high)
      return Math.round(lowest + ((probability - low) / (high - low)) * (highest - lowest));
    low = high;
    lowest = highest;
  }
  return lowest;
}

function isAboveZero(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

function checked(value: number, field: string, holds: (value: number) => boolean, expected: string): number {
  if (holds(value)) return value;
  throw new ValidationError([{ field, expected }]);
}
