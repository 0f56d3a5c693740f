import { costNanoUsd, modelPrice, ValidationError } from "tollgate";
import { describe, expect, it } from "vitest";
import { isOffPeak, type OffPeakHours } from "../../src/pricing/off-peak.js";

/** Friday, 15 May 2026. */
const DAY = "2026-05-15";

const at = (moment: string) => Date.parse(`${moment}Z`);
const isWithin = (hours: OffPeakHours, ...moments: readonly string[]) =>
  moments.map((moment) => isOffPeak(hours, at(moment)));

describe("off-peak hours", () => {
  it("begin with their first millisecond and end before that of their end", () => {
    const hours = { windows: [{ hoursUtc: "09:15-17:45" }] };
    const moments = ["09:14:59.999", "09:15:00.000", "17:44:59.999", "17:45:00.000"];
    expect(isWithin(hours, ...moments.map((time) => `${DAY}T${time}`))).toEqual([false, true, true, false]);
  });

  it("may go past midnight", () => {
    const hours = { windows: [{ hoursUtc: "16:30-00:30" }] };
    const moments = [
      "16:29:59.999",
      "16:30:00.000",
      "23:59:59.999",
      "00:00:00.000",
      "00:29:59.999",
      "00:30:00.000",
    ];
    const expected = [false, true, true, true, true, false];
    expect(isWithin(hours, ...moments.map((time) => `${DAY}T${time}`))).toEqual(expected);
  });

  it("are the whole day from a time to the same time", () => {
    const hours = { windows: [{ hoursUtc: "08:00-08:00" }] };
    expect(isWithin(hours, `${DAY}T07:59`, `${DAY}T08:00`, `${DAY}T20:00`)).toEqual([true, true, true]);
  });

  it("are those of any window", () => {
    const hours = { windows: [{ hoursUtc: "01:00-02:00" }, { hoursUtc: "05:00-06:00" }] };
    expect(isWithin(hours, `${DAY}T01:30`, `${DAY}T03:00`, `${DAY}T05:30`)).toEqual([true, false, true]);
    expect(isWithin({ windows: [] }, `${DAY}T01:30`)).toEqual([false]);
  });

  it("are the same before 1970", () => {
    const moments = ["1969-12-31T21:59", "1969-12-31T22:00", "1969-12-30T00:00", "1969-12-31T02:00"];
    expect(isWithin({ windows: [{ hoursUtc: "22:00-02:00" }] }, ...moments)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(isWithin({ windows: [{ hoursUtc: "21:00-22:00" }] }, ...moments)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  it("are on their weekdays alone, those of UTC or of the zone", () => {
    const saturday = { windows: [{ hoursUtc: "00:00-00:00", weekdays: [6] }] };
    const moments = ["2026-05-15T15:59", "2026-05-15T16:00", "2026-05-16T15:59", "2026-05-16T16:00"];
    expect(isWithin(saturday, ...moments)).toEqual([false, false, true, true]);
    const there = { ...saturday, weekdayTimeZone: "Asia/Shanghai" };
    expect(isWithin(there, ...moments)).toEqual([false, true, true, false]);
  });
});

describe("an off-peak price", () => {
  const hours = { windows: [{ hoursUtc: "00:00-12:00" }] };
  const [night, day] = [at(`${DAY}T03:00`), at(`${DAY}T15:00`)];

  it("may have more decimals than the rest of the price", () => {
    const price = modelPrice({
      ...{ inputUsdPerMillion: 1, outputUsdPerMillion: 2 },
      offPeak: { ...hours, inputUsdPerMillion: "0.0001" },
    });
    const tokens = { inputTokens: 1_001, outputTokens: 0 };
    expect([night, day].map((at) => costNanoUsd(price, { ...tokens, at }))).toEqual([101, 1_001_000]);
  });

  it("overrides every tier, and leaves what it does not name as the tier has it", () => {
    const price = modelPrice({
      ...{ inputUsdPerMillion: 4, outputUsdPerMillion: 10 },
      tiers: [{ aboveInputTokens: 100, inputUsdPerMillion: 8, outputUsdPerMillion: 20 }],
      offPeak: { ...hours, inputUsdPerMillion: 1 },
    });
    const cost = (inputTokens: number, at: number) =>
      costNanoUsd(price, { inputTokens, outputTokens: 1, at });
    expect([cost(100, day), cost(101, day)]).toEqual([400_000 + 10_000, 808_000 + 20_000]);
    expect([cost(100, night), cost(101, night)]).toEqual([100_000 + 10_000, 101_000 + 20_000]);
  });

  it.each([
    ...["24:00-01:00", "01:00-24:00", "00:60-01:00", "01:00-00:60", "101:00-02:00", "01:00-02:000"].map(
      (hoursUtc) => [{ windows: [{ hoursUtc }] }, "windows[0].hoursUtc"] as const,
    ),
    ...[0, 8, 1.5].map(
      (day) =>
        [{ windows: [{ hoursUtc: "01:00-02:00", weekdays: [day] }] }, "windows[0].weekdays[0]"] as const,
    ),
    [{ ...hours, weekdayTimeZone: "Nowhere/Else" }, "weekdayTimeZone"] as const,
  ])("is refused for hours that are none: %j", (offPeak, field) => {
    const make = () => modelPrice({ inputUsdPerMillion: 1, outputUsdPerMillion: 1, offPeak });
    expect(make).toThrow(ValidationError);
    expect(make).toThrow(`price.offPeak.${field}: `);
  });

  it("may be at any hour of any weekday", () => {
    const windows = [{ hoursUtc: "23:59-23:58", weekdays: [1, 2, 3, 4, 5, 6, 7] }];
    const price = modelPrice({ inputUsdPerMillion: 1, outputUsdPerMillion: 1, offPeak: { windows } });
    expect(price.offPeak?.hours).toEqual({ windows });
  });

  it("is not that of a call whose time is not told", () => {
    const price = modelPrice({
      ...{ inputUsdPerMillion: 4, outputUsdPerMillion: 10 },
      offPeak: { windows: [{ hoursUtc: "00:00-00:00" }], inputUsdPerMillion: 1 },
    });
    expect(costNanoUsd(price, { inputTokens: 1, outputTokens: 0 })).toBe(4_000);
    expect(costNanoUsd(price, { inputTokens: 1, outputTokens: 0, at: day })).toBe(1_000);
  });
});
