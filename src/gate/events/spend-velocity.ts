import { LRUCache } from "lru-cache";
import * as z from "zod";
import { nanoUsd, usdSchema } from "../../model/money.js";
import { wholeNumber } from "../../model/validation.js";
import { type CallContext, contextOf, type GateEventHub } from "./events.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A window is kept in so many parts, and one more that has just begun: what is summed up reaches back at most one part too far. */
const PARTS = 12;

/** An average of zero is taken for this much, so that `times` of a key that spent nothing before is not infinite. */
const LEAST_NANO_USD = 1;

/** The least number of keys that are watched. One that is forgotten starts again without a history. */
const LEAST_KEYS = 10_000;

/**
 * When a key spends so fast that somebody should know. A process watches the `cache.maxKeys` keys that spent last, 10,000 at
 * least. Where more spend in turn, each is forgotten before it spends again, and none is told of: raise `cache.maxKeys`.
 */
export interface SpendVelocity {
  /** How many times its daily average a key's pace has to be, above 1; 10 by default. */
  readonly times?: number | undefined;
  /** The pace is what was spent in so many milliseconds, carried on for a day: from a minute to a day, an hour by default. */
  readonly windowMs?: number | undefined;
  /** The average is over the days before, at most so many, from 1 to 31; 7 by default. A key without one day is not judged. */
  readonly days?: number | undefined;
  /** Less than this in a window is nobody's concern, in US dollars; 1 by default. */
  readonly minUsd?: number | string | undefined;
}

/** {@link SpendVelocity} with every default in place. */
export interface Velocity {
  readonly times: number;
  readonly windowMs: number;
  readonly days: number;
  readonly minNanoUsd: number;
}

export const velocitySchema = z.strictObject({
  times: z.number().gt(1, { error: "a number above 1" }).optional(),
  windowMs: wholeNumber(60_000, DAY_MS, "a whole number of milliseconds").optional(),
  days: wholeNumber(1, 31, "a whole number of days").optional(),
  minUsd: usdSchema.optional(),
});

export function velocityFrom({ times, windowMs, days, minUsd }: SpendVelocity): Velocity {
  return {
    times: times ?? 10,
    windowMs: windowMs ?? HOUR_MS,
    days: days ?? 7,
    minNanoUsd: nanoUsd(minUsd ?? 1),
  };
}

/**
 * Watches the pace at which keys spend, where somebody listens. Every process tells of what was settled through it, and
 * remembers nothing after a restart. A key takes a kilobyte or two, whatever it spends.
 */
export class SpendPace {
  readonly #events: GateEventHub;
  readonly #velocity: Velocity;
  readonly #maxKeys: number;
  #keys: LRUCache<string, KeyPace> | undefined;

  /** @param maxKeys how many chains the gate keeps: with more keys there is more to watch */
  constructor(events: GateEventHub, velocity: Velocity, maxKeys: number) {
    this.#events = events;
    this.#velocity = velocity;
    this.#maxKeys = Math.max(LEAST_KEYS, maxKeys);
  }

  /** Looks at what a call came to, in nano-USD. */
  look(context: CallContext, costNanoUsd: number, at: number): void {
    if (costNanoUsd === 0 || !this.#events.wants("spendVelocity")) return;
    const { times, windowMs, minNanoUsd } = this.#velocity;
    const pace = this.#paceOf(JSON.stringify([context.orgId, context.keyId]), at);
    const spentNanoUsd = pace.add(costNanoUsd, at);
    const dailyAverageNanoUsd = pace.dailyAverage();
    if (dailyAverageNanoUsd === undefined || spentNanoUsd < minNanoUsd) return;
    const perDay = (spentNanoUsd * DAY_MS) / windowMs;
    if (perDay < times * dailyAverageNanoUsd || !pace.mayTell(at)) return;
    this.#events.emit("spendVelocity", {
      at,
      context: contextOf(context),
      spentNanoUsd,
      windowMs,
      dailyAverageNanoUsd,
      times: perDay / Math.max(LEAST_NANO_USD, dailyAverageNanoUsd),
    });
  }

  #paceOf(key: string, at: number): KeyPace {
    this.#keys ??= new LRUCache({ max: this.#maxKeys }); // with the first listener: it takes its memory at once
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const pace = new KeyPace(this.#velocity, at);
    this.#keys.set(key, pace);
    return pace;
  }
}

/** What one key has spent: in the parts of the window, today, and on the days before. Days are 24 hours from its first call. */
class KeyPace {
  readonly #windowMs: number;
  readonly #partMs: number;
  /** By the number of the part, modulo their number. */
  readonly #parts = new Float64Array(PARTS + 1);
  /** By the number of the day, modulo their number; today is one of them. */
  readonly #days: Float64Array;
  readonly #firstAt: number;
  #part = 0;
  #day = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ windowMs, days }: Velocity, at: number) {
    this.#windowMs = windowMs;
    this.#partMs = windowMs / PARTS;
    this.#days = new Float64Array(days + 1);
    this.#firstAt = at;
  }

  /** Counts an amount, and returns what was spent in the window. */
  add(amount: number, at: number): number {
    const sinceFirst = at - this.#firstAt;
    // Time never runs backwards: a late amount counts as of now.
    this.#part = moveOn(this.#parts, this.#part, Math.floor(sinceFirst / this.#partMs));
    this.#day = moveOn(this.#days, this.#day, Math.floor(sinceFirst / DAY_MS));
    const part = this.#part % this.#parts.length;
    this.#parts[part] = (this.#parts[part] ?? 0) + amount;
    const today = this.#day % this.#days.length;
    this.#days[today] = (this.#days[today] ?? 0) + amount;
    return this.#parts.reduce((sum, part) => sum + part, 0);
  }

  /** Undefined where no day lies before today. */
  dailyAverage(): number | undefined {
    const days = Math.min(this.#day, this.#days.length - 1);
    if (days === 0) return undefined;
    const today = this.#day % this.#days.length;
    const before = this.#days.reduce((sum, day, i) => (i === today ? sum : sum + day), 0);
    return before / days;
  }

  /** Whether nothing was told in this window; from now on something was. */
  mayTell(at: number): boolean {
    if (at < this.#toldAt + this.#windowMs) return false;
    this.#toldAt = at;
    return true;
  }
}

/** Empties the slots of a ring from one that is past to another, and returns the later of the two. */
function moveOn(ring: Float64Array, from: number, to: number): number {
  for (let slot = Math.max(from, to - ring.length) + 1; slot <= to; slot++) ring[slot % ring.length] = 0;
  return Math.max(from, to);
}
