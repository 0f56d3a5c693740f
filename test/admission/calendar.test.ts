import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { Calendar, periodAt } from "../../src/admission/period.js";
import type { CalendarReset } from "../../src/model/limits.js";

const DAY = 86_400_000;
const ZONES = [...Intl.supportedValuesOf("timeZone"), "UTC"];
const RESETS: readonly CalendarReset[] = ["daily", "weekly", "monthly"];
const moments = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2100, 11, 31) });

describe("Calendar", () => {
  test("law: a clock answers as periodAt does, whichever way time runs", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RESETS),
        fc.constantFrom(...ZONES),
        moments,
        fc.array(fc.integer({ min: -3 * DAY, max: 3 * DAY }), { maxLength: 5 }),
        (reset, timeZone, from, steps) => {
          const clock = new Calendar().clock(reset, timeZone);
          let now = from;
          for (const step of steps) {
            now += step;
            expect(clock.at(now)).toEqual(periodAt(reset, timeZone, now));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("answers with the same period while it lasts, and with the next at its end", () => {
    const clock = new Calendar().clock("daily", "UTC");
    const period = clock.at(5);
    expect(clock.at(DAY - 1)).toBe(period);
    expect(clock.at(DAY)).toEqual({ index: 1, startsAt: DAY, endsAt: 2 * DAY });
  });

  it("shares one clock among all who ask for the same reset and time zone", () => {
    const calendar = new Calendar();
    expect(calendar.clock("daily", "UTC")).toBe(calendar.clock("daily", "UTC"));
    expect(calendar.clock("daily", "UTC")).not.toBe(calendar.clock("weekly", "UTC"));
    expect(calendar.clock("daily", "UTC")).not.toBe(calendar.clock("daily", "Europe/Berlin"));
  });

  it("keeps at most as many clocks as it was told, the newest", () => {
    const calendar = new Calendar(2);
    const [utc, berlin] = [calendar.clock("daily", "UTC"), calendar.clock("daily", "Europe/Berlin")];
    calendar.clock("daily", "Asia/Tokyo");
    expect(calendar.clock("daily", "Europe/Berlin")).toBe(berlin);
    expect(calendar.clock("daily", "UTC")).not.toBe(utc);
  });
});
