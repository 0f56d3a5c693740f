import { Temporal } from "temporal-polyfill";

/**
 * The days and hours of a time zone: names for moments, across daylight saving.
 *
 * A moment given is the beginning of a quarter of an hour. Since 1972 every zone is a whole number of quarters from UTC, so
 * no day or hour begins within one.
 */
export interface LocalPart {
  /** `2026-03-29`, or `2026-10-25T02:00+01:00`: the moment it begins at, so that an hour that comes twice has two names. */
  readonly name: string;
  /** Epoch milliseconds of the first moment. */
  readonly startsAt: number;
}

export function localDay(at: number, timeZone: string): LocalPart {
  const day = zoned(at, timeZone).startOfDay();
  return { name: day.toPlainDate().toString(), startsAt: day.epochMilliseconds };
}

export function localHour(at: number, timeZone: string): LocalPart {
  const { minute, offset } = zoned(at, timeZone);
  let start = zoned(at - minute * 60_000, timeZone);
  // Where clocks change by half an hour, an hour may begin in its middle.
  while (start.offset !== offset) start = start.add({ minutes: 15 });
  const name = `${start.toPlainDateTime().toString({ smallestUnit: "minute" })}${offset}`;
  return { name, startsAt: start.epochMilliseconds };
}

/** Every day from the one that holds `from` to the one before or at `to`, exclusive; at most `max` of them. */
export function localDays(from: number, to: number, timeZone: string, max: number): LocalPart[] | undefined {
  const days: LocalPart[] = [];
  let day = zoned(from, timeZone).startOfDay();
  while (day.epochMilliseconds < to) {
    if (days.length === max) return undefined;
    days.push({ name: day.toPlainDate().toString(), startsAt: day.epochMilliseconds });
    day = day.toPlainDate().add({ days: 1 }).toZonedDateTime(timeZone);
  }
  return days;
}

function zoned(at: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
}
