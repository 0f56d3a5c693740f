import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { type Limits, limitsSchema } from "../../src/model/limits.js";
import { parse } from "../../src/model/validation.js";

/** The fields that parsing complains about. */
function wrongFields(input: unknown): string[] {
  try {
    parse(limitsSchema, input, "limits");
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.problems.map(({ field }) => field);
  }
}

describe("limits", () => {
  it("are taken as a person writes them", () => {
    const limits: Limits = {
      rpm: 60,
      tpm: 100_000,
      inFlight: 0,
      budget: [
        { usd: 20, reset: "daily", alertAt: [0.8, 1] },
        { usd: "199.99", reset: "monthly", countByok: true },
      ],
      perModel: { "openai/*": { rpm: 5, budget: { usd: 1, reset: "never" } } },
      mode: "shadow",
    };
    expect(parse(limitsSchema, limits)).toEqual(limits);
  });

  it.each([
    [
      { budget: { usd: 1, reset: "hourly" } },
      /^limits.budget.reset: "daily", "weekly", "monthly" or "never"$/,
    ],
    [{ budget: [{ usd: 1 }] }, /^limits.budget\[0\].reset: "daily", "weekly", "monthly" or "never"$/],
    [{ mode: "observe" }, /^limits.mode: "enforce" or "shadow"$/],
  ])("with the wrong one of a few words, %j, say which there are", (input, told) => {
    expect(() => parse(limitsSchema, input, "limits")).toThrow(told);
  });

  it.each<[string, unknown, string[]]>([
    ["an unknown field", { rpmm: 5 }, ["limits.rpmm"]],
    ["an unknown field of a budget", { budget: { usd: 1, reset: "daily", max: 2 } }, ["limits.budget.max"]],
    ["an unknown field per model", { perModel: { "gpt-4o": { rps: 1 } } }, ["limits.perModel.gpt-4o.rps"]],
    ["perModel within perModel", { perModel: { a: { perModel: {} } } }, ["limits.perModel.a.perModel"]],
    ["half a request", { rpm: 0.5 }, ["limits.rpm"]],
    ["a negative count", { tpm: -1 }, ["limits.tpm"]],
    ["not a number", { tpm: Number.NaN }, ["limits.tpm"]],
    ["infinity", { tpm: Number.POSITIVE_INFINITY }, ["limits.tpm"]],
    ["too much money", { budget: { usd: 9_000_001, reset: "daily" } }, ["limits.budget.usd"]],
    ["negative money", { budget: [{ usd: -1, reset: "daily" }] }, ["limits.budget[0].usd"]],
    ["a reset that does not exist", { budget: { usd: 1, reset: "hourly" } }, ["limits.budget.reset"]],
    ["a part of a segment", { perModel: { "gpt-*": { rpm: 1 } } }, ["limits.perModel.gpt-*"]],
    [
      "two budgets with one reset",
      {
        budget: [
          { usd: 1, reset: "daily" },
          { usd: 2, reset: "daily" },
        ],
      },
      ["limits.budget"],
    ],
    ["nothing at all", null, ["limits"]],
  ])("with %s are refused, and the field is named", (_, input, fields) => {
    expect(wrongFields(input)).toEqual(fields);
  });

  it("with an alert in percent are told what a share is", () => {
    const input = { budget: { usd: 1, reset: "daily", alertAt: [80] } };
    expect(() => parse(limitsSchema, input, "limits")).toThrow(
      /^limits.budget.alertAt\[0\]: a share of at most 10, where 0.8 is 80 %$/,
    );
  });

  it("that are refused keep the value out of the error", () => {
    const secret = "sk-tg-secret";
    try {
      parse(limitsSchema, { rpm: secret, budget: { usd: secret, reset: secret }, mode: secret });
      expect.unreachable();
    } catch (error) {
      expect(`${error} ${JSON.stringify(error)}`).not.toContain("secret");
    }
  });
});
