import { describe, expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";
import { counterAdapters, isSlow } from "./adapters.js";
import { passed, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", costUsd: 1 };

type Case = readonly [
  name: string,
  reset: "daily" | "weekly" | "monthly",
  timeZone: string,
  spentAt: string,
  passesAgainAt: string,
];

const CASES: readonly Case[] = [
  ["the 31st", "monthly", "UTC", "2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"],
  ["February", "monthly", "UTC", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"],
  ["February of a leap year", "monthly", "UTC", "2028-02-28T23:59:59.999Z", "2028-03-01T00:00:00Z"],
  ["a leap day", "monthly", "UTC", "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z"],
  ["a leap day, by the day", "daily", "UTC", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"],
  ["the century that is no leap year", "daily", "UTC", "2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z"],
  ["New Year's Eve", "monthly", "UTC", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"],
  ["a week over New Year", "weekly", "UTC", "2026-12-31T12:00:00Z", "2027-01-04T00:00:00Z"],
  ["a Sunday", "weekly", "UTC", "2026-05-17T23:59:59.999Z", "2026-05-18T00:00:00Z"],
  ["a Monday", "weekly", "UTC", "2026-05-18T00:00:00Z", "2026-05-25T00:00:00Z"],
  [
    "the short day of spring, of 23 hours",
    "daily",
    "Europe/Berlin",
    "2026-03-28T23:00:00Z",
    "2026-03-29T22:00:00Z",
  ],
  [
    "the long day of autumn, of 25 hours",
    "daily",
    "Europe/Berlin",
    "2026-10-24T22:00:00Z",
    "2026-10-25T23:00:00Z",
  ],
  [
    "the hour that comes twice, the second time",
    "daily",
    "Europe/Berlin",
    "2026-10-25T01:30:00Z",
    "2026-10-25T23:00:00Z",
  ],
  [
    "the week with the short day",
    "weekly",
    "America/New_York",
    "2026-03-02T05:00:00Z",
    "2026-03-09T04:00:00Z",
  ],
  [
    "the month with the long day",
    "monthly",
    "America/New_York",
    "2026-11-01T04:00:00Z",
    "2026-12-01T05:00:00Z",
  ],
  [
    "half an hour of daylight saving",
    "daily",
    "Australia/Lord_Howe",
    "2026-04-04T13:00:00Z",
    "2026-04-05T13:30:00Z",
  ],
];

describe.each(everyCounters)("a budget that is spent, %s", (name, make) => {
  it.each(CASES)(
    "on %s (%s, %s) is there again when that period ends, to the millisecond",
    async (...one) => {
      const [, reset, timeZone, spentAt, passesAgainAt] = one;
      const { gate, clock } = world(
        aChain({ org: { timeZone }, key: { limits: { budget: { usd: 1, reset } } } }),
        { counters: make() },
      );
      clock.at = Date.parse(spentAt);
      passed(await gate.admit(KEY, CALL));
      const { retryAfterMs } = refusedBy(await gate.admit(KEY, CALL));
      expect(retryAfterMs).toBe(Date.parse(passesAgainAt) - clock.at);
      clock.at = Date.parse(passesAgainAt) - 1;
      refusedBy(await gate.admit(KEY, CALL));
      clock.at += 1;
      passed(await gate.admit(KEY, CALL));
    },
  );

  it.skipIf(isSlow(name))(
    "on each of 1,500 days in a row is there again on the next one, in a zone with daylight saving",
    async () => {
      const { gate, clock } = world(
        aChain({
          org: { timeZone: "Europe/Berlin" },
          key: { limits: { budget: { usd: 1, reset: "daily" } } },
        }),
        { counters: make() },
      );
      const lengths = new Map<number, number>();
      clock.at = Date.parse("2026-01-01T00:00:00+01:00");
      for (let day = 0; day < 1_500; day++) {
        passed(await gate.admit(KEY, CALL));
        const { retryAfterMs = Number.NaN } = refusedBy(await gate.admit(KEY, CALL));
        const hours = retryAfterMs / 3_600_000;
        lengths.set(hours, (lengths.get(hours) ?? 0) + 1);
        clock.at += retryAfterMs;
      }
      // They end on 8 February 2030, after four springs and four autumns.
      expect([...lengths].sort()).toEqual([
        [23, 4],
        [24, 1_492],
        [25, 4],
      ]);
    },
  );
});
