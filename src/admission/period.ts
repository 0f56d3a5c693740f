import { Temporal } from "temporal-polyfill";
import type { CalendarReset } from "../model/limits.js";
import type { Limit } from "./limit.js";

/** One day, week or month of a time zone: the moments from `startsAt` up to, not including, `endsAt`. */
export interface Period {
  /**
   * Orders periods of one reset by their date: days since 1970-01-01, weeks since that of 1969-12-29, or
   * `12 * year + month`. The same for a date in every time zone, so that a count kept under it lives on when an org
   * changes its time zone.
   */
  readonly index: number;
  /** Epoch milliseconds. */
  readonly startsAt: number;
  /** Epoch milliseconds; the `startsAt` of the next period. */
  readonly endsAt: number;
}

/**
 * The period that holds a moment.
 *
 * A period begins with its first date, at the first moment of that date in the zone; the period of a moment is the
 * last that has begun. So a clock set back over midnight stays in the new day, and a date that a zone leaves out has
 * no period.
 *
 * @param timeZone A name that `isTimeZone` knows.
 * @param at Epoch milliseconds.
 * @throws RangeError for another time zone or a moment outside what a `Date` holds.
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

/** A period is looked for at most so many ahead, which takes some milliseconds: further ahead only a wrong clock has counted. */
const PERIODS_AHEAD_MAX = 31;

/** When the first period after `period` begins whose index is at least `index`. */
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
  readonly reset: CalendarReset;
  readonly timeZone: string;
  #last: Period | undefined;

  constructor(reset: CalendarReset, timeZone: string) {
    this.reset = reset;
    this.timeZone = timeZone;
  }

  /** As {@link periodAt}. */
  at(now: number): Period {
    const last = this.#last;
    if (last !== undefined && now >= last.startsAt && now < last.endsAt) return last;
    this.#last = periodAt(this.reset, this.timeZone, now);
    return this.#last;
  }
}

/** Shares a {@link PeriodClock} among all who ask for the same reset and time zone. */
export class Calendar {
  readonly #clocks = new Map<string, PeriodClock>();
  readonly #maxClocks: number;

  /** @param maxClocks The most to keep; when full, the oldest makes room. The default holds every IANA zone. */
  constructor(maxClocks = 2048) {
    this.#maxClocks = maxClocks;
  }

  clock(reset: CalendarReset, timeZone: string): PeriodClock {
    const id = `${reset} ${timeZone}`;
    const known = this.#clocks.get(id);
    if (known !== undefined) return known;
    if (this.#clocks.size >= this.#maxClocks) {
      for (const oldest of this.#clocks.keys()) {
        this.#clocks.delete(oldest);
        break;
      }
    }
    const clock = new PeriodClock(reset, timeZone);
    this.#clocks.set(id, clock);
    return clock;
  }

  /** The clock of a limit's periods, where it has them. */
  clockOf({ window }: Pick<Limit, "window">): PeriodClock | undefined {
    return window.kind === "calendar" ? this.clock(window.name, window.timeZone) : undefined;
  }
}

interface Rule {
  /** The first date of the period that a date lies in. */
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

/** The first moment of a date; of a date that the zone leaves out, the first moment after the gap. */
function startOf(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds;
}
