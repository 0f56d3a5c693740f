import { describe, expect, it } from "vitest";
import * as z from "zod";
import { ValidationError } from "../../src/model/errors.js";
import { isTimeZone, timeZoneSchema } from "../../src/model/time-zone.js";
import { parse } from "../../src/model/validation.js";

const ZONES = [...Intl.supportedValuesOf("timeZone"), "UTC"];

describe("isTimeZone", () => {
  it("knows every zone of the runtime", () => {
    expect(ZONES.filter((zone) => !isTimeZone(zone))).toEqual([]);
  });

  it.each([
    "UTC",
    "utc",
    "GMT",
    "Etc/GMT-2",
    "US/Pacific",
    "Asia/Kolkata",
    "Asia/Calcutta",
    "europe/berlin",
    "EST5EDT",
  ])("knows %s", (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  it.each([
    "",
    "Europe/Atlantis",
    "+02:00",
    "-05",
    "UTC+2",
    "IST",
    "PST",
    "Z",
    "2024-01-01T00:00Z",
    "2024-01-01[UTC]",
  ])("does not know %j", (name) => {
    expect(isTimeZone(name)).toBe(false);
  });

  it.each(["__proto__", "constructor", " UTC", "UTC\n", "\ud800", "x".repeat(10_000)])(
    "does not know %j",
    (name) => {
      expect(isTimeZone(name)).toBe(false);
    },
  );
});

describe("timeZoneSchema", () => {
  const schema = z.strictObject({ timeZone: timeZoneSchema });

  it("leaves a name as it was written", () => {
    expect(parse(schema, { timeZone: "Europe/Berlin" })).toEqual({ timeZone: "Europe/Berlin" });
  });

  it.each([{ timeZone: "+02:00" }, { timeZone: undefined }, { timeZone: 2 }, {}])("refuses %j", (input) => {
    const expected = "an IANA time zone, such as Europe/Berlin";
    expect(() => parse(schema, input)).toThrow(new ValidationError([{ field: "timeZone", expected }]));
  });
});
