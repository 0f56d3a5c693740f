import { Temporal } from "temporal-polyfill";
import * as z from "zod";
import { timeZoneSchema } from "../model/time-zone.js";

/** Hours of the day during which a provider charges less. */
export interface OffPeakWindow {
  /**
   * Hours in UTC, such as `"16:30-00:30"`, including the start but not the end. They may go past midnight. From a time
   * to the same time is the whole day.
   */
  hoursUtc: string;
  /** The days on which the hours apply, from 1 for Monday to 7 for Sunday. Default: every day. */
  weekdays?: readonly number[] | undefined;
}

/** When a provider charges less: during any of the windows. */
export interface OffPeakHours {
  /** The windows. The lower price applies during any of them. */
  windows: readonly OffPeakWindow[];
  /** The IANA time zone in which the weekdays are meant. Default: `UTC`. */
  weekdayTimeZone?: string | undefined;
}

const HOURS = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

export const offPeakHoursFields = {
  windows: z.array(
    z.strictObject({
      hoursUtc: z
        .string({ error: 'hours such as "16:30-00:30"' })
        .regex(HOURS, { error: 'hours such as "16:30-00:30"' }),
      weekdays: z.array(z.int({ error: "1 to 7" }).min(1, "1 to 7").max(7, "1 to 7")).optional(),
    }),
  ),
  weekdayTimeZone: timeZoneSchema.optional(),
};

const DAY_MS = 86_400_000;

/** Whether a moment, in epoch milliseconds, is in one of the windows. */
export function isOffPeak({ windows, weekdayTimeZone }: OffPeakHours, at: number): boolean {
  // A replay may run before 1970, where the remainder is negative.
  const minute = Math.floor((((at % DAY_MS) + DAY_MS) % DAY_MS) / 60_000);
  return windows.some(
    ({ hoursUtc, weekdays }) =>
      covers(hoursUtc, minute) &&
      (weekdays === undefined || weekdays.includes(weekdayOf(at, weekdayTimeZone))),
  );
}

function covers(hoursUtc: string, minute: number): boolean {
  const [from = 0, to = 0] = hoursUtc
    .split("-")
    .map((time) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3)));
  return from < to ? from <= minute && minute < to : minute >= from || minute < to;
}

function weekdayOf(at: number, timeZone = "UTC"): number {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).dayOfWeek;
}
