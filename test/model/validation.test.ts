import { describe, expect, it } from "vitest";
import * as z from "zod";
import { LimitError, ValidationError } from "../../src/model/errors.js";
import { parse, wholeNumber } from "../../src/model/validation.js";

const TOKEN = "Ab3".repeat(20);

describe("the name of a field that is wrong", () => {
  const wrongField = (name: string) => {
    try {
      parse(z.strictObject({}), { [name]: 1 }, "input");
    } catch (error) {
      return (error as ValidationError).field;
    }
  };

  it("is cut at 64 characters, and shows of a token its last four, wherever the cut is", () => {
    expect(wrongField("x-".repeat(100))).toBe(`input.${"x-".repeat(32)}`);
    const field = wrongField(`${"-".repeat(30)}${TOKEN}`);
    expect(field).toBe(`input.${"-".repeat(30)}••••${TOKEN.slice(-4)}`);
  });
});

it("an error has no token in any of its texts", () => {
  const validation = new ValidationError([{ field: TOKEN, expected: `not ${TOKEN}` }]);
  const limit = new LimitError(`limits.perModel.${TOKEN}.rpm`, "at most 1");
  for (const error of [validation, limit]) {
    expect(JSON.stringify([error, error.message, error.field])).not.toContain(TOKEN);
  }
});

it("a number that is wrong in more than one way is told of once", () => {
  for (const wrong of [2 ** 53, 1e300, -1.5, Number.POSITIVE_INFINITY]) {
    expect(() => parse(wholeNumber(0, 10), wrong, "rpm")).toThrow(/^rpm: a whole number from 0 to 10$/);
  }
});
