import { Temporal } from "temporal-polyfill";
import type { CalendarReset } from "../model/limits.js";
import type { Limit } from "./limit.js";

/** One day, week or month in a time zone: from `startsAt` up to, but not including, `endsAt`. */
export interface Period {
  /**
   * The position among the periods of the same reset, by date: days since 1970-01-01, weeks since 1969-12-29, or
   * `12 * year + month`. It is the same in every time zone, so a count kept under it survives when an org changes its
   * zone.
   */
  readonly index: number;
  /** Epoch milliseconds. */
  readonly startsAt: number;
  /** Epoch milliseconds: the `startsAt` of the next period. */
  readonly endsAt: number;
}

/**
 * Finds the period that contains a moment.
 *
 * A period begins at the first moment of its first date in the zone. The period of a moment is the last one that has
 * begun, so a clock set back over midnight stays in the new day, and a date that the zone skips has no period.
 *
 * @param timeZone an IANA time zone
 * @param at epoch milliseconds
 * @throws RangeError for an unknown time zone, or a moment outside the range of `Date`
 */
export function periodAt(reset: CalendarReset, timeZone: string, at: number): Period {
  const moment = Temporal.Instant.fromEpochMilliseconds(Math.floor(at));
  const rule = RULES[reset];
  let first = rule.firstDate(moment.toZonedDateTimeISO(timeZone).toPlainDate());
  let startsAt = startOf(first, timeZone);
  for (;;) {
    const next = first.add(rule.length);
    const endsAt = startOf(next, timeZone);
    if (endsAt > at) return Object.freeze({ index: rule.index(first), startsAt, endsAt });
    first = next;
    startsAt = endsAt;
  }
}

/**
 * How many periods ahead a search goes, which takes some milliseconds. Only a wrong clock can have counted further
 * ahead.
 */
const PERIODS_AHEAD_MAX = 31;

/** The moment at which the first period after `period` begins whose index is at least `index`. */
export function beginsAt(reset: CalendarReset, timeZone: string, period: Period, index: number): number {
  let last = period;
  for (let i = 0; i < PERIODS_AHEAD_MAX && last.index + 1 < index; i++) {
    const next = periodAt(reset, timeZone, last.endsAt);
    if (next.index >= index) break; // the zone leaves dates out
    last = next;
  }
  return last.endsAt;
}

/** The periods of one reset and time zone. It remembers the last one, so that asking within it is a comparison. */
export class PeriodClock {
  readonly #reset: CalendarReset;
  readonly #timeZone: string;
  #last: Period | undefined;

  constructor(reset: CalendarReset, timeZone: string) {
    this.#reset = reset;
    this.#timeZone = timeZone;
  }

  /** Like {@link periodAt}. */
  at(now: number): Period {
    const last = this.#last;
    if (last !== undefined && now >= last.startsAt && now < last.endsAt) return last;
    this.#last = periodAt(this.#reset, this.#timeZone, now);
    return this.#last;
  }
}

/** Shares one {@link PeriodClock} among all that ask for the same reset and time zone. */
export class Calendar {
  readonly #clocks = new Map<string, PeriodClock>();
  readonly #maxClocks: number;

  /** @param maxClocks the most clocks to keep; when full, the oldest is dropped. The default fits every IANA zone. */
  constructor(maxClocks = 2048) {
    this.#maxClocks = maxClocks;
  }

  clock(reset: CalendarReset, timeZone: string): PeriodClock {
    const id = `${reset} ${timeZone}`;
    const known = this.#clocks.get(id);
    if (known !== undefined) return known;
    if (this.#clocks.size >= this.#maxClocks) {
      const [oldest] = this.#clocks.keys();
      if (oldest !== undefined) this.#clocks.delete(oldest);
    }
    const clock = new PeriodClock(reset, timeZone);
    this.#clocks.set(id, clock);
    return clock;
  }

  /** The clock of a limit's periods, if it has any. */
  clockOf({ window }: Pick<Limit, "window">): PeriodClock | undefined {
    return window.kind === "calendar" ? this.clock(window.name, window.timeZone) : undefined;
  }
}

interface Rule {
  /** The first date of the period that contains a date. */
  firstDate(date: Temporal.PlainDate): Temporal.PlainDate;
  readonly length: Temporal.DurationLike;
  index(firstDate: Temporal.PlainDate): number;
}

const EPOCH = Temporal.PlainDate.from("1970-01-01");

const RULES: Readonly<Record<CalendarReset, Rule>> = {
  daily: {
    firstDate: (date) => date,
    length: { days: 1 },
    index: daysSinceEpoch,
  },
  weekly: {
    firstDate: (date) => date.subtract({ days: date.dayOfWeek - 1 }),
    length: { days: 7 },
    // 1970-01-01 was the Thursday of its week.
    index: (monday) => (daysSinceEpoch(monday) + 3) / 7,
  },
  monthly: {
    firstDate: (date) => date.with({ day: 1 }),
    length: { months: 1 },
    index: (first) => first.year * 12 + first.month,
  },
};

function daysSinceEpoch(date: Temporal.PlainDate): number {
  return EPOCH.until(date).days;
}

/** The first moment of a date. For a date that the zone skips, the first moment after the gap. */
function startOf(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds;
}
