import { Temporal } from "temporal-polyfill";
import * as z from "zod";

/** Names known to be valid. Finding out takes a quarter of a millisecond, and every load of a key's chain asks. */
const KNOWN = new Set<string>();

/** More than there are names, which may also differ in case. */
const KNOWN_MAX = 2_000;

/**
 * Whether the runtime knows a time zone by this name: an IANA zone or link, in any case.
 *
 * Offsets such as `+02:00` do not count: they have no daylight saving, and `Etc/GMT-2` says the same.
 */
export function isTimeZone(name: string): boolean {
  if (KNOWN.has(name)) return true;
  if (!/^[a-z]/i.test(name) || name.length > 64) return false;
  // Both are asked. Intl refuses a date, from which Temporal would take the zone; Temporal refuses abbreviations such
  // as `IST`, for which Intl would pick one of several meanings.
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
