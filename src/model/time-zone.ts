import { Temporal } from "temporal-polyfill";
import * as z from "zod";

/** Names found to be known: finding out takes a quarter of a millisecond, and every load of a key's chain asks. */
const KNOWN = new Set<string>();

/** Above the number of names there are; names differ in case too. */
const KNOWN_MAX = 2_000;

/**
 * Whether the runtime knows a time zone by this name: an IANA zone or link, in any case.
 *
 * Offsets such as `+02:00` are none: they have no daylight saving, and `Etc/GMT-2` says the same.
 */
export function isTimeZone(name: string): boolean {
  if (KNOWN.has(name)) return true;
  if (!/^[a-z]/i.test(name) || name.length > 64) return false;
  // Both are asked. Intl refuses a date, from which Temporal would take the zone in it; Temporal refuses abbreviations
  // such as `IST`, of which Intl would pick one meaning.
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
  } catch {
    return false;
  }
  if (KNOWN.size < KNOWN_MAX) KNOWN.add(name);
  return true;
}

/** A name that {@link isTimeZone} knows. */
export const timeZoneSchema: z.ZodType<string, string> = z.custom<string>(
  (value) => typeof value === "string" && isTimeZone(value),
  { error: "an IANA time zone, such as Europe/Berlin" },
);
