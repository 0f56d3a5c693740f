import { Temporal } from "temporal-polyfill";
import { describe, expect, it, vi } from "vitest";
import { localDaysOf, localHoursOf } from "../../src/ledger/local-time.js";

const QUARTER_MS = 900_000;

/** The hours of a zone from one moment to another, each with the minutes that are in it. */
function hours(from: string, to: string, timeZone: string): (readonly [string, string, number])[] {
  const minutes = new Map<string, number>();
  const starts = new Map<string, number>();
  const hourOf = localHoursOf(timeZone);
  for (let at = Date.parse(from); at < Date.parse(to); at += QUARTER_MS) {
    const { name, startsAt } = hourOf(at);
    minutes.set(name, (minutes.get(name) ?? 0) + 15);
    expect(starts.get(name) ?? startsAt).toBe(startsAt);
    starts.set(name, startsAt);
  }
  return [...minutes].map(([name, length]) => {
    const startsAt = new Date(starts.get(name) ?? 0).toISOString();
    expect(new Date(name).toISOString()).toBe(startsAt); // a name is the moment that it begins at
    return [name, startsAt.slice(11, 16), length] as const;
  });
}

describe("a local hour", () => {
  it("begins where it does, on Lord Howe, whose clocks change by half an hour", () => {
    expect(hours("2026-04-04T14:00Z", "2026-04-04T16:30Z", "Australia/Lord_Howe")).toEqual([
      ["2026-04-05T01:00+11:00", "14:00", 60],
      ["2026-04-05T01:30+10:30", "15:00", 30],
      ["2026-04-05T02:00+10:30", "15:30", 60],
    ]);
    expect(hours("2026-10-03T14:30Z", "2026-10-03T17:00Z", "Australia/Lord_Howe")).toEqual([
      ["2026-10-04T01:00+10:30", "14:30", 60],
      ["2026-10-04T02:30+11:00", "15:30", 30],
      ["2026-10-04T03:00+11:00", "16:00", 60],
    ]);
  });

  it.each([
    ["Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T03:00Z"],
    ["Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T03:00Z"],
    ["Asia/Kathmandu", "2026-05-14T18:15Z", "2026-05-14T22:15Z"],
    ["America/St_Johns", "2026-10-31T23:30Z", "2026-11-01T05:30Z"],
    ["Asia/Beirut", "2026-03-28T20:00Z", "2026-03-29T00:00Z"],
  ])("is sixty minutes in %s, also when clocks change by an hour", (timeZone, from, to) => {
    expect(hours(from, to, timeZone).map(([, , length]) => length)).toEqual(
      Array.from({ length: (Date.parse(to) - Date.parse(from)) / 3_600_000 }, () => 60),
    );
  });
});

describe("days and hours of a zone", () => {
  const DECEMBER = Date.UTC(2026, 11, 1);
  const march = Array.from({ length: 31 * 96 }, (_, i) => Date.UTC(2026, 2, 1) + i * QUARTER_MS);

  it("are looked up once a day: a report on a year must not hold up the calls of its process", () => {
    const lookUp = vi.spyOn(Temporal.Instant, "fromEpochMilliseconds");
    const dayOf = localDaysOf("Europe/Berlin");
    for (const at of march) dayOf(at);
    expect(lookUp).toHaveBeenCalledTimes(32); // 1 April has begun there
    lookUp.mockClear();
    const hourOf = localHoursOf("Europe/Berlin");
    for (const at of march) hourOf(at);
    expect(lookUp.mock.calls.length).toBeLessThan(32 + 2 * 96); // but on the day on which clocks change
    lookUp.mockRestore();
  });

  it("are the same whatever was looked up before", () => {
    for (const timeZone of ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut"]) {
      for (const of of [localDaysOf, localHoursOf]) {
        const inOrder = of(timeZone);
        for (const at of march.filter((_, i) => i % 7 === 0)) {
          const [alone, backwards] = [of(timeZone), of(timeZone)];
          backwards(DECEMBER);
          expect([inOrder(at), backwards(at)]).toEqual([alone(at), alone(at)]);
        }
      }
    }
  });
});
