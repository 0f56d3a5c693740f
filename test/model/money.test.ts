import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import * as z from "zod";
import { ValidationError } from "../../src/model/errors.js";
import { decimalOf, decimalUsd, MAX_USD, nanoUsd, usdOf, usdSchema, usdText } from "../../src/model/money.js";
import { parse } from "../../src/model/validation.js";

/** The specification: the least whole number of nano-USD that is not below the decimal text. */
function specNanoUsd(text: string): bigint {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const tenTo = Number(exponent) - fraction.length + 9;
  const digits = BigInt(whole + fraction);
  if (tenTo >= 0) return digits * 10n ** BigInt(tenTo);
  const scale = 10n ** BigInt(-tenTo);
  return digits / scale + (digits % scale > 0n ? 1n : 0n);
}

const amounts = fc.oneof(
  fc.double({ min: 0, max: MAX_USD, noNaN: true }),
  fc.integer({ min: 0, max: 9e15 }).map((nano) => nano / 1e9),
  fc.integer({ min: 0, max: 1e6 }).map((nano) => nano / 1e9),
  fc
    .tuple(fc.integer({ min: 0, max: 1e15 }), fc.integer({ min: 9, max: 30 }))
    .map(([digits, places]) => Number(`${digits}e-${places}`)),
  fc
    .tuple(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 1e9 }))
    .map(([a, b]) => a / 1e6 + b / 1e7),
  fc.nat(MAX_USD),
);

describe("nanoUsd", () => {
  test("law: equals integer arithmetic on the shortest decimal text, for every number up to the maximum", () => {
    fc.assert(
      fc.property(amounts, (usd) => {
        fc.pre(usd <= MAX_USD);
        expect(nanoUsd(usd)).toBe(Number(specNanoUsd(String(usd))));
      }),
      { numRuns: 5_000 },
    );
  });

  test("law: a string and the number it reads as give the same amount", () => {
    fc.assert(fc.property(amounts, (usd) => nanoUsd(String(usd)) === nanoUsd(usd)));
  });

  test("law: equals integer arithmetic on decimal strings of any precision", () => {
    const decimals = fc
      .tuple(fc.nat(MAX_USD - 1), fc.stringMatching(/^\d{1,60}$/))
      .map(([whole, fraction]) => `${whole}.${fraction}`);
    fc.assert(fc.property(decimals, (text) => nanoUsd(text) === Number(specNanoUsd(text))));
  });

  test("law: more dollars are never fewer nano-USD", () => {
    fc.assert(fc.property(amounts, amounts, (a, b) => nanoUsd(Math.min(a, b)) <= nanoUsd(Math.max(a, b))));
  });

  it.each([
    [0, 0],
    [-0, 0],
    ["0", 0],
    ["0.000", 0],
    [0.00055, 550_000],
    [0.15, 150_000_000],
    ["0.1", 100_000_000],
    [1e-9, 1],
    ["1e-9", 1],
    ["1.5E+2", 150_000_000_000],
    [1e-10, 1],
    [Number.MIN_VALUE, 1],
    ["0.0000000010000000000000000000000000001", 2],
    [0.1 + 0.2, 300_000_001],
    [200, 200_000_000_000],
    [MAX_USD, 9_000_000_000_000_000],
    ["9000000.000", 9_000_000_000_000_000],
    ["8999999.999999999", 8_999_999_999_999_999],
    [`0.${"0".repeat(97)}1`, 1], // 100 characters
  ])("reads %j US dollars as %d nano-USD", (usd, nano) => {
    expect(nanoUsd(usd)).toBe(nano);
  });

  it.each([
    -1,
    -1e-12,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    9_000_000.01,
    1e300,
    "9000000.0000000001",
    "-1",
    "-0",
    "+1",
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    ".5",
    "5.",
    "1,000",
    "1_000",
    "0x10",
    "1e",
    "1e9999",
    "NaN",
    "Infinity",
    "١",
    "$5",
    "1.2.3",
    `0.${"0".repeat(98)}1`,
    `0.${"0".repeat(10_000)}1`,
  ])("refuses %j", (usd) => {
    expect(() => nanoUsd(usd)).toThrow(ValidationError);
  });

  it("refuses what is neither a number nor a string", () => {
    const others: unknown[] = [undefined, null, true, 1n, {}, [], ["1"], { toString: () => "1" }];
    for (const other of others) {
      // The cast stands for a caller without types.
      expect(() => nanoUsd(other as number)).toThrow(ValidationError);
    }
  });

  it("names the field, and not the value", () => {
    expect(() => nanoUsd("s3cret", "limits.budget.usd")).toThrow(
      "limits.budget.usd: a non-negative amount of US dollars, at most 9,000,000",
    );
    expect(() => nanoUsd(-1)).toThrow(/^usd: /);
  });

  it("never answers a negative zero", () => {
    expect(Object.is(nanoUsd(-0), 0)).toBe(true);
  });
});

describe("usdOf", () => {
  test("law: dollars of nano-USD read back as the same nano-USD, up to 8,388,608 USD", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 23 * 1e9 }), (nano) => nanoUsd(usdOf(nano)) === nano),
      { numRuns: 2_000 },
    );
  });

  it("shows 550,000 nano-USD as 0.00055", () => {
    expect(usdOf(550_000)).toBe(0.00055);
  });
});

describe("dollars as text", () => {
  it("are exact, also below zero", () => {
    const nano = [0n, 1n, -1n, 1_500_000_000n, -1_500_000_000n, 26_999_999_999_999_997n];
    expect(nano.map(decimalUsd)).toEqual([
      "0",
      "0.000000001",
      "-0.000000001",
      "1.5",
      "-1.5",
      "26999999.999999997",
    ]);
  });

  it("can be made of whatever counters of one's own answer", () => {
    expect([75, -75, 0.5, Number.NaN, Number.POSITIVE_INFINITY].map(usdText)).toEqual([
      ...["0.000000075", "-0.000000075", "5e-10", "NaN", "Infinity"],
    ]);
  });
});

describe("usdSchema", () => {
  const schema = z.strictObject({ usd: usdSchema });

  it("leaves the amount as it was written", () => {
    expect(parse(schema, { usd: "0.10" })).toEqual({ usd: "0.10" });
    for (const usd of [0.1, 0, MAX_USD]) expect(parse(schema, { usd })).toEqual({ usd });
  });

  it.each([{ usd: -5 }, { usd: "s3cret" }, { usd: null }, { usd: 9_000_001 }, {}])(
    "refuses %j once",
    (input) => {
      const expected = "a non-negative amount of US dollars, at most 9,000,000";
      expect(() => parse(schema, input, "budget")).toThrow(
        new ValidationError([{ field: "budget.usd", expected }]),
      );
    },
  );
});

describe("decimalOf", () => {
  it("reads a decimal exactly, without zeros at its end", () => {
    expect(decimalOf("1.2500")).toEqual({ digits: 125n, places: 2 });
    expect(decimalOf(2.5e-9)).toEqual({ digits: 25n, places: 10 });
    expect(decimalOf("1.50e3")).toEqual({ digits: 1500n, places: 0 });
  });
});
