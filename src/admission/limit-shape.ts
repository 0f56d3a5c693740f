import { amountsByMeter, meterOf, type Use } from "./amounts.js";
import type { Limit } from "./limit.js";
import type { Calendar, Period, PeriodClock } from "./period.js";

/**
 * What two lists of limits share if they differ only in their scopes and maxes: which amounts of a call they count, and
 * in which periods. Ten thousand keys with limits of the same kinds share one shape, so it stays in the processor's
 * cache.
 */
export class LimitShape {
  /** Whether one of the limits counts input tokens and is enforced. */
  readonly needsInput: boolean;
  /** What the limits on money do to a call. */
  readonly cost: CostRule;
  /** The same for a call on the customer's own provider key. */
  readonly byokCost: CostRule;
  /** For each limit, which amount of a use counts against it: see {@link meterOf}. */
  readonly meters: readonly number[];
  /** Room for the addresses of the counts of one call, between their check and their charge. */
  readonly addresses: Int32Array;
  /** One number for each limit, to be copied. */
  readonly #blank: readonly number[];
  readonly #clocks: readonly (PeriodClock | undefined)[];
  /** The latest list of maxes. */
  #maxes: readonly number[] = [];
  #periods: readonly (Period | undefined)[] = [];
  /** The same, frozen. */
  #frozen: readonly (Period | undefined)[] = [];
  /** `#periods` holds from here up to, but not including, `#periodsUntil`. */
  #periodsFrom = Number.POSITIVE_INFINITY;
  #periodsUntil = Number.NEGATIVE_INFINITY;

  constructor(limits: readonly Limit[], calendar: Calendar) {
    this.needsInput = limits.some(
      ({ meter, mode }) => mode === "enforce" && (meter === "tokens" || meter === "inputTokens"),
    );
    this.cost = costRule(limits.filter(({ meter }) => meter === "cost"));
    this.byokCost = costRule(limits.filter(({ countByok }) => countByok));
    this.meters = limits.map(meterOf);
    this.addresses = new Int32Array(limits.length);
    this.#blank = limits.map(() => Number.NaN);
    this.#clocks = limits.map((limit) => calendar.clockOf(limit));
  }

  /** The max of each limit. Keys with the same maxes share one list if they are compiled one after the other. */
  maxesOf(limits: readonly Limit[]): readonly number[] {
    const isSame =
      limits.length === this.#maxes.length && limits.every(({ max }, i) => max === this.#maxes[i]);
    if (!isSame) this.#maxes = limits.map(({ max }) => max);
    return this.#maxes;
  }

  /**
   * A list with a number for each limit, to be overwritten. The numbers are NaN rather than 0: V8 stores a list of
   * small integers differently from one of doubles, and would convert it at the first amount that is not a small
   * integer.
   */
  blank(): number[] {
    return this.#blank.slice();
  }

  /** How much a use counts against each limit. */
  amounts(use: Use): number[] {
    const { meters } = this;
    const byMeter = amountsByMeter(use);
    const amounts = this.blank();
    for (let i = 0; i < meters.length; i++) amounts[i] = byMeter[meters[i] as number] as number; // sound: each meter has its place
    return amounts;
  }

  /** The calendar period of each limit that contains a moment. One list for all calls, which must not be handed out. */
  periodsAt(now: number): readonly (Period | undefined)[] {
    if (now < this.#periodsFrom || now >= this.#periodsUntil) this.#turn(now);
    return this.#periods;
  }

  /**
   * The same as a frozen list, to be handed out. Reading a frozen list on every call would make a call a tenth longer.
   */
  frozenPeriodsAt(now: number): readonly (Period | undefined)[] {
    if (now < this.#periodsFrom || now >= this.#periodsUntil) this.#turn(now);
    return this.#frozen;
  }

  #turn(now: number): void {
    this.#periods = this.#clocks.map((clock) => clock?.at(now));
    this.#frozen = Object.freeze([...this.#periods]);
    const known = this.#periods.filter((period) => period !== undefined);
    this.#periodsFrom = Math.max(Number.NEGATIVE_INFINITY, ...known.map(({ startsAt }) => startsAt));
    this.#periodsUntil = Math.min(Number.POSITIVE_INFINITY, ...known.map(({ endsAt }) => endsAt));
  }
}

/** Whether money is counted at all, and whether a call can be refused by it. */
export type CostRule = "none" | "shadow" | "enforce";

/** What these limits on money do to a call. */
export function costRule(costLimits: readonly Limit[]): CostRule {
  if (costLimits.length === 0) return "none";
  return costLimits.some(({ mode }) => mode === "enforce") ? "enforce" : "shadow";
}

/** How many shapes are kept. Beyond that, a list of limits has a shape of its own. */
const SHAPES_MAX = 1_000;

/** The shapes of all lists of limits in use. */
export class LimitShapes {
  readonly #calendar: Calendar;
  readonly #shapes = new Map<string, LimitShape>();

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  /** The shape of these limits. */
  of(limits: readonly Limit[]): LimitShape {
    const name = JSON.stringify(
      limits.map(({ meter, window, mode, countByok }) => [meter, window, mode, countByok]),
    );
    const known = this.#shapes.get(name);
    if (known !== undefined) return known;
    const shape = new LimitShape(limits, this.#calendar);
    if (this.#shapes.size < SHAPES_MAX) this.#shapes.set(name, shape);
    return shape;
  }
}
