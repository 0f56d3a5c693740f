import { Temporal } from "temporal-polyfill";

/**
 * A day or an hour in a time zone: its name and its beginning, also across daylight saving.
 *
 * Moments passed in are beginnings of a quarter of an hour. Since 1972 every zone has been a whole number of quarters
 * from UTC, so no day or hour begins within one.
 */
interface LocalPart {
  /** `2026-03-29`, or `2026-10-25T02:00+01:00` with the offset, so that an hour that occurs twice has two names. */
  readonly name: string;
  /** The first moment, in epoch milliseconds. */
  readonly startsAt: number;
}

/** Finds the day or hour of a time zone that contains a moment. */
export type LocalPartOf = (at: number) => LocalPart;

const HOUR_MS = 3_600_000;

const DAY_MS = 24 * HOUR_MS;

interface LocalDay extends LocalPart {
  readonly endsAt: number;
  /** `+02:00`. Absent if clocks change on that day. */
  readonly offset?: string;
}

/**
 * The days of a zone by their moments. The day of the last look-up is kept for the next one: each takes about 50
 * microseconds, a report on a year has 35,000 quarters of an hour, and meanwhile the calls of this process wait.
 */
export function localDaysOf(timeZone: string): (at: number) => LocalDay {
  let day: LocalDay | undefined;
  return (at) => {
    if (day === undefined || at < day.startsAt || at >= day.endsAt) day = localDay(at, timeZone);
    return day;
  };
}

/** The hours of a zone, in the same way. */
export function localHoursOf(timeZone: string): LocalPartOf {
  const dayOf = localDaysOf(timeZone);
  return (at) => {
    const day = dayOf(at);
    if (day.offset === undefined) return localHour(at, timeZone);
    const hour = Math.floor((at - day.startsAt) / HOUR_MS);
    const name = `${day.name}T${String(hour).padStart(2, "0")}:00${day.offset}`;
    return { name, startsAt: day.startsAt + hour * HOUR_MS };
  };
}

function localDay(at: number, timeZone: string): LocalDay {
  const start = zoned(at, timeZone).startOfDay();
  const next = start.add({ days: 1 }).startOfDay();
  const { epochMilliseconds: startsAt, offset } = start;
  const isPlain = next.epochMilliseconds === startsAt + DAY_MS;
  const name = start.toPlainDate().toString();
  return { name, startsAt, endsAt: next.epochMilliseconds, ...(isPlain && { offset }) };
}

function localHour(at: number, timeZone: string): LocalPart {
  const { minute, offset } = zoned(at, timeZone);
  let start = zoned(at - minute * 60_000, timeZone);
  // Where clocks change by half an hour, an hour may begin in its middle.
  while (start.offset !== offset) start = start.add({ minutes: 15 });
  const name = `${start.toPlainDateTime().toString({ smallestUnit: "minute" })}${offset}`;
  return { name, startsAt: start.epochMilliseconds };
}

/**
 * The name of every day from the one that contains `from` up to, but not including, `to`. Undefined if there are more
 * than `max`.
 */
export function localDays(from: number, to: number, timeZone: string, max: number): string[] | undefined {
  const days: string[] = [];
  let day = zoned(from, timeZone);
  while (day.epochMilliseconds < to) {
    if (days.length === max) return undefined;
    const date = day.toPlainDate();
    days.push(date.toString());
    day = date.add({ days: 1 }).toZonedDateTime(timeZone);
  }
  return days;
}

function zoned(at: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
}
