import * as z from "zod";
import { nanoUsd, usdSchema } from "../../model/money.js";
import { wholeNumber } from "../../model/validation.js";
import { type LatestUsed, latestUsed } from "../latest-used.js";
import { type CallContext, contextOf, type GateEventHub } from "./events.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * A window is kept in this many parts, plus the one that has just begun. So a sum reaches back at most one part too
 * far.
 */
const PARTS = 12;

/** An average of zero counts as this much, so that `times` is finite for a key that spent nothing before. */
const LEAST_NANO_USD = 1;

/** The least number of keys that are watched. A key that is forgotten starts again without a history. */
const LEAST_KEYS = 10_000;

/**
 * When a key's spending is fast enough to emit a `spendVelocity` event.
 *
 * Each process watches the keys that spent last, `cache.maxKeys` of them but at least 10,000. If more keys than that
 * spend in turn, each is forgotten before it spends again and none is reported: raise `cache.maxKeys`.
 */
export interface SpendVelocity {
  /** How many times its daily average a key's pace has to be: above 1. Default: 10. */
  readonly times?: number | undefined;
  /**
   * The window over which the pace is measured and then extrapolated to a day, in milliseconds from 60,000 (a minute)
   * to 86,400,000 (a day). Default: an hour.
   */
  readonly windowMs?: number | undefined;
  /**
   * The most days before today that the average covers, from 1 to 31. A key with less than one day of history is not
   * judged. Default: 7.
   */
  readonly days?: number | undefined;
  /** Spending less than this in a window is never reported, in US dollars from 0 to 9,000,000. Default: 1. */
  readonly minUsd?: number | string | undefined;
}

/** {@link SpendVelocity} with every default filled in. */
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
 * Watches the pace at which keys spend, while somebody listens. Each process sees only what was settled through it, and
 * remembers nothing after a restart. A key takes a kilobyte or two, however much it spends.
 */
export class SpendPace {
  readonly #events: GateEventHub;
  readonly #velocity: Velocity;
  readonly #keys: LatestUsed<KeyPace>;

  /** @param maxKeys how many chains the gate keeps; with more keys there is more to watch */
  constructor(events: GateEventHub, velocity: Velocity, maxKeys: number) {
    this.#events = events;
    this.#velocity = velocity;
    this.#keys = latestUsed(Math.max(LEAST_KEYS, maxKeys));
  }

  /** Looks at the cost of a call, in nano-USD. */
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
    const known = this.#keys.get(key);
    if (known !== undefined && !known.isAheadOf(at)) return known;
    const pace = new KeyPace(this.#velocity, at);
    this.#keys.set(key, pace);
    return pace;
  }
}

/**
 * What one key has spent: in the parts of the window, today, and on the days before. A day is 24 hours from its first
 * call.
 */
class KeyPace {
  readonly #windowMs: number;
  readonly #partMs: number;
  /** Indexed by the part's number modulo their count. */
  readonly #parts = new Float64Array(PARTS + 1);
  /** Indexed by the day's number modulo their count. Today is one of them. */
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

  /**
   * Whether it has counted more than a day after a moment. Then a clock was wrong, and until the right one is there,
   * everything would seem to be spent in one window. So the key starts again.
   */
  isAheadOf(at: number): boolean {
    return Math.floor((at - this.#firstAt) / DAY_MS) + 1 < this.#day;
  }

  /**
   * Counts an amount.
   *
   * @returns what was spent in the window
   */
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

  /** The average of the days before today. Undefined if there are none. */
  dailyAverage(): number | undefined {
    const days = Math.min(this.#day, this.#days.length - 1);
    if (days === 0) return undefined;
    const today = this.#day % this.#days.length;
    const before = this.#days.reduce((sum, day, i) => (i === today ? sum : sum + day), 0);
    return before / days;
  }

  /** Whether nothing was reported in this window yet. If so, it is marked as reported. */
  mayTell(at: number): boolean {
    if (at < this.#toldAt + this.#windowMs) return false;
    this.#toldAt = at;
    return true;
  }
}

/**
 * Empties the slots of a ring between two positions.
 *
 * @returns the later of the two
 */
function moveOn(ring: Float64Array, from: number, to: number): number {
  for (let slot = Math.max(from, to - ring.length) + 1; slot <= to; slot++) ring[slot % ring.length] = 0;
  return Math.max(from, to);
}
