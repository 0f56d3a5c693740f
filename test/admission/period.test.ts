import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { beginsAt, type Period, PeriodClock, periodAt } from "../../src/admission/period.js";
import type { CalendarReset } from "../../src/model/limits.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

const ZONES = [...Intl.supportedValuesOf("timeZone"), "UTC"];
const RESETS: readonly CalendarReset[] = ["daily", "weekly", "monthly"];
const moments = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2100, 11, 31) });

const formats = new Map<string, Intl.DateTimeFormat>();

/** The oracle: the date on a wall in the zone, as days since 1970-01-01. It knows nothing of Temporal. */
function wallDay(timeZone: string, at: number): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      year: "numeric",
      month: "numeric",
      day: "numeric",
    });
    formats.set(timeZone, format);
  }
  const [month = 0, day = 0, year = 0] = format.format(at).split("/").map(Number);
  return Date.UTC(year, month - 1, day) / DAY;
}

/** The index of the period that a date lies in, by arithmetic on dates alone. */
function indexOfDay(reset: CalendarReset, day: number): number {
  if (reset === "daily") return day;
  if (reset === "weekly") return Math.floor((day + 3) / 7);
  const date = new Date(day * DAY);
  return date.getUTCFullYear() * 12 + date.getUTCMonth() + 1;
}

function lengthInDays(reset: CalendarReset): number {
  return reset === "daily" ? 1 : reset === "weekly" ? 7 : 31;
}

/** What must hold of the period of one moment, and of its neighbours. */
function expectLaws(reset: CalendarReset, timeZone: string, at: number): Period {
  const period = periodAt(reset, timeZone, at);
  const next = periodAt(reset, timeZone, period.endsAt);
  const previous = periodAt(reset, timeZone, period.startsAt - 1);
  const lastMoment = periodAt(reset, timeZone, period.endsAt - 1);
  const context = `${reset} ${timeZone} ${new Date(at).toISOString()}`;

  expect(period.startsAt, context).toBeLessThanOrEqual(at);
  expect(period.endsAt, context).toBeGreaterThan(at);
  expect(next.startsAt, context).toBe(period.endsAt);
  expect(next.index, context).toBeGreaterThan(period.index);
  expect(previous.endsAt, context).toBe(period.startsAt);
  expect(previous.index, context).toBeLessThan(period.index);
  expect(lastMoment, context).toEqual(period);
  expect(periodAt(reset, timeZone, period.startsAt), context).toEqual(period);

  // On the wall: the period's first moment is the first that shows a date of it.
  expect(indexOfDay(reset, wallDay(timeZone, period.startsAt)), context).toBe(period.index);
  expect(indexOfDay(reset, wallDay(timeZone, period.startsAt - 1)), context).toBeLessThan(period.index);
  expect(period.endsAt - period.startsAt, context).toBeLessThanOrEqual((lengthInDays(reset) + 1) * DAY);
  return period;
}

describe("law: a period contains its moment and is followed by the next without gap or overlap", () => {
  test("in every IANA zone the runtime knows, at random moments from 1990 to 2100", () => {
    expect(ZONES.length).toBeGreaterThan(400);
    for (const timeZone of ZONES) {
      for (const at of fc.sample(moments, 4)) {
        for (const reset of RESETS) expectLaws(reset, timeZone, at);
      }
    }
  });

  test("at random moments of random zones, and at random moments of the same period", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RESETS),
        fc.constantFrom(...ZONES),
        moments,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (reset, timeZone, at, share) => {
          const { startsAt, endsAt } = expectLaws(reset, timeZone, at);
          const other = startsAt + Math.floor(share * (endsAt - startsAt));
          expect(periodAt(reset, timeZone, other)).toEqual(periodAt(reset, timeZone, at));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("law: the index is that of the latest date a wall in the zone has shown", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), moments, (timeZone, at) => {
        let shown = wallDay(timeZone, at);
        // No zone has set its clocks back by more since 1990, and all have done so on a whole minute.
        const minute = Math.floor(at / MINUTE) * MINUTE;
        for (let past = minute - 4 * HOUR; past <= minute; past += MINUTE) {
          shown = Math.max(shown, wallDay(timeZone, past));
        }
        for (const reset of RESETS) {
          expect(periodAt(reset, timeZone, at).index).toBe(indexOfDay(reset, shown));
        }
      }),
      { numRuns: 500 },
    );
  });

  // Nights on which midnight comes twice, or does not come, or takes a day with it.
  it.each([
    ["America/St_Johns", "2006-10-28", "set back at 00:01 to 23:01 of the day before"],
    ["America/St_Johns", "2009-10-31", "the same on the last night of a month"],
    ["America/St_Johns", "2006-04-01", "set forward at 00:01"],
    ["America/Goose_Bay", "2010-11-06", "set back at 00:01 to 23:01 of the day before"],
    ["America/Sao_Paulo", "2018-11-03", "no midnight: 24:00 is 01:00"],
    ["America/Sao_Paulo", "2018-02-17", "set back at 24:00 to 23:00"],
    ["America/Havana", "2023-11-04", "midnight twice: 01:00 is 00:00 again"],
    ["America/Havana", "2023-03-11", "no midnight"],
    ["Africa/Cairo", "2023-04-27", "no midnight"],
    ["Africa/Cairo", "2023-10-26", "set back at 24:00 to 23:00"],
    ["Asia/Beirut", "2023-03-25", "no midnight"],
    ["America/Asuncion", "2017-09-30", "no midnight on the 1st"],
    ["Asia/Amman", "2016-03-31", "no midnight on the 1st"],
    ["Atlantic/Azores", "2023-10-28", "midnight twice, in the zone that falls back to 00:00"],
    ["Pacific/Apia", "2011-12-29", "no 30 December: west of the date line, then east of it"],
    ["Pacific/Fakaofo", "2011-12-29", "no 30 December"],
    ["Pacific/Kiritimati", "1994-12-30", "no 31 December"],
    ["Pacific/Kwajalein", "1993-08-19", "no 21 August"],
    ["Asia/Pyongyang", "2015-08-14", "half an hour back at midnight"],
    ["America/Caracas", "2007-12-08", "half an hour back"],
    ["Antarctica/Casey", "2010-03-04", "three hours back, over midnight"],
    ["Antarctica/Troll", "2022-10-29", "two hours back"],
    ["Australia/Lord_Howe", "2023-03-31", "half an hour back"],
    ["Europe/London", "2024-03-30", "an hour forward at 01:00"],
    ["America/New_York", "2024-11-02", "an hour back at 02:00"],
  ])("in %s minute by minute from %s: %s", (timeZone, date) => {
    const from = Date.parse(`${date}T00:00Z`);
    const clocks = RESETS.map((reset) => {
      const clock = new PeriodClock(reset, timeZone);
      return { reset, clock, period: clock.at(from) };
    });
    let shown = wallDay(timeZone, from - DAY);
    for (let at = from - DAY; at < from; at += 10 * MINUTE) shown = Math.max(shown, wallDay(timeZone, at));
    const wrong: string[] = [];
    for (let at = from; at < from + 3 * DAY; at += MINUTE) {
      shown = Math.max(shown, wallDay(timeZone, at));
      for (const one of clocks) {
        const { reset, clock, period } = one;
        const current = clock.at(at);
        const isFresh = at % (20 * MINUTE) !== 0 || isDeepStrictEqual(periodAt(reset, timeZone, at), current);
        if (!isFresh || current.index !== indexOfDay(reset, shown)) {
          wrong.push(`${reset} ${new Date(at).toISOString()}`);
        }
        if (current === period) continue;
        expect(current.startsAt).toBe(period.endsAt);
        // The clocks of these nights are changed on a whole minute, so that is where a period begins.
        expect(current.startsAt).toBe(at);
        expectLaws(reset, timeZone, at - 1);
        expectLaws(reset, timeZone, at);
        one.period = current;
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(["Europe/Berlin", "Pacific/Apia", "America/St_Johns"])(
    "law: a zone's periods from 1990 to 2100 make one chain: %s",
    (timeZone) => {
      for (const reset of ["weekly", "monthly"] as const) {
        let period = periodAt(reset, timeZone, Date.UTC(1990, 0, 15));
        while (period.endsAt < Date.UTC(2100, 11, 31)) {
          const next = periodAt(reset, timeZone, period.endsAt);
          expect(next.startsAt).toBe(period.endsAt);
          expect(next.index).toBe(period.index + 1);
          period = next;
        }
      }
    },
  );
});

describe("periodAt", () => {
  const at = (text: string) => Date.parse(text);
  const span = (reset: CalendarReset, timeZone: string, moment: string) => {
    const { startsAt, endsAt } = periodAt(reset, timeZone, at(moment));
    return [startsAt, endsAt].map((edge) => new Date(edge).toISOString().replace(":00.000Z", "Z"));
  };

  it("gives the 31st to the month it ends", () => {
    expect(span("monthly", "UTC", "2024-01-31T23:59:59.999Z")).toEqual([
      "2024-01-01T00:00Z",
      "2024-02-01T00:00Z",
    ]);
    expect(span("monthly", "UTC", "2024-02-01T00:00:00Z")).toEqual([
      "2024-02-01T00:00Z",
      "2024-03-01T00:00Z",
    ]);
  });

  it("gives February 28 days, and 29 in a leap year", () => {
    expect(span("monthly", "UTC", "2023-02-28T12:00Z")).toEqual(["2023-02-01T00:00Z", "2023-03-01T00:00Z"]);
    expect(span("monthly", "UTC", "2024-02-29T12:00Z")).toEqual(["2024-02-01T00:00Z", "2024-03-01T00:00Z"]);
    expect(span("monthly", "UTC", "2100-02-28T23:59Z")).toEqual(["2100-02-01T00:00Z", "2100-03-01T00:00Z"]);
  });

  it("gives a leap day a day of its own", () => {
    expect(span("daily", "UTC", "2024-02-29T00:00Z")).toEqual(["2024-02-29T00:00Z", "2024-03-01T00:00Z"]);
  });

  it("gives the night the clocks go forward 23 hours", () => {
    expect(span("daily", "Europe/Berlin", "2024-03-31T12:00Z")).toEqual([
      "2024-03-30T23:00Z",
      "2024-03-31T22:00Z",
    ]);
    expect(span("daily", "America/New_York", "2024-03-10T12:00Z")).toEqual([
      "2024-03-10T05:00Z",
      "2024-03-11T04:00Z",
    ]);
  });

  it("gives the night the clocks go back 25 hours", () => {
    expect(span("daily", "Europe/Berlin", "2024-10-27T12:00Z")).toEqual([
      "2024-10-26T22:00Z",
      "2024-10-27T23:00Z",
    ]);
    expect(span("daily", "America/New_York", "2024-11-03T12:00Z")).toEqual([
      "2024-11-03T04:00Z",
      "2024-11-04T05:00Z",
    ]);
  });

  it("resets a month at midnight of the zone, not of UTC (litellm#34896)", () => {
    expect(span("monthly", "Asia/Tokyo", "2024-05-31T14:59Z")).toEqual([
      "2024-04-30T15:00Z",
      "2024-05-31T15:00Z",
    ]);
    expect(span("monthly", "Asia/Tokyo", "2024-05-31T15:00Z")).toEqual([
      "2024-05-31T15:00Z",
      "2024-06-30T15:00Z",
    ]);
  });

  it("begins a week on Monday, also over the end of a year", () => {
    expect(span("weekly", "UTC", "2024-12-29T23:59Z")).toEqual(["2024-12-23T00:00Z", "2024-12-30T00:00Z"]);
    expect(span("weekly", "UTC", "2025-01-01T12:00Z")).toEqual(["2024-12-30T00:00Z", "2025-01-06T00:00Z"]);
    expect(span("weekly", "America/New_York", "2024-11-03T12:00Z")).toEqual([
      "2024-10-28T04:00Z",
      "2024-11-04T05:00Z",
    ]);
  });

  test("law: a week begins on a Monday and a month on a 1st, on a wall in the zone", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), moments, (timeZone, moment) => {
        const monday = wallDay(timeZone, periodAt("weekly", timeZone, moment).startsAt);
        expect(new Date(monday * DAY).getUTCDay()).toBe(1);
        const first = wallDay(timeZone, periodAt("monthly", timeZone, moment).startsAt);
        expect(new Date(first * DAY).getUTCDate()).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps a clock set back over midnight in the new day", () => {
    const newDay = periodAt("daily", "America/St_Johns", at("2006-10-29T02:30Z"));
    // 23:01 of 28 October again, a minute after midnight.
    expect(wallDay("America/St_Johns", at("2006-10-29T02:31Z"))).toBe(newDay.index - 1);
    expect(periodAt("daily", "America/St_Johns", at("2006-10-29T02:31Z"))).toEqual(newDay);
    expect(span("daily", "America/St_Johns", "2006-10-29T02:31Z")).toEqual([
      "2006-10-29T02:30Z",
      "2006-10-30T03:30Z",
    ]);
  });

  it("has no period for a date that a zone leaves out", () => {
    expect(span("daily", "Pacific/Apia", "2011-12-30T09:59Z")).toEqual([
      "2011-12-29T10:00Z",
      "2011-12-30T10:00Z",
    ]);
    expect(span("daily", "Pacific/Apia", "2011-12-30T10:00Z")).toEqual([
      "2011-12-30T10:00Z",
      "2011-12-31T10:00Z",
    ]);
    const last = periodAt("daily", "Pacific/Apia", at("2011-12-30T09:59Z"));
    expect(periodAt("daily", "Pacific/Apia", last.endsAt).index).toBe(last.index + 2);
    const before = periodAt("daily", "Pacific/Apia", at("2011-12-28T12:00Z"));
    for (const index of [last.index + 1, last.index + 2])
      expect(beginsAt("daily", "Pacific/Apia", before, index)).toBe(last.endsAt);
  });

  test("law: an index belongs to a date, in whatever zone, so a count under it survives a change of zone", () => {
    for (const timeZone of ZONES) {
      const noon = at("2024-05-15T12:00Z");
      const day = wallDay(timeZone, noon);
      for (const reset of RESETS) expect(periodAt(reset, timeZone, noon).index).toBe(indexOfDay(reset, day));
    }
    expect(periodAt("daily", "UTC", 0).index).toBe(0);
    expect(periodAt("weekly", "UTC", 0).index).toBe(0);
    expect(periodAt("monthly", "UTC", 0).index).toBe(1970 * 12 + 1);
  });

  it("takes a moment between two milliseconds", () => {
    const midnight = at("2024-05-15T00:00Z");
    expect(periodAt("daily", "UTC", midnight - 0.5).endsAt).toBe(midnight);
    expect(periodAt("daily", "UTC", midnight + 0.5).startsAt).toBe(midnight);
  });
});
