import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { actualSchema, isPlainActual, plainUsage, usageSchema } from "../../src/model/usage.js";

const anything = fc.oneof(
  fc.constantFrom(
    0,
    1,
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e12,
    1e12 + 1,
    1e6,
    1e6 + 1,
    2 ** 53,
    "5",
    null,
    undefined,
    true,
  ),
  fc.integer(),
  fc.string({ maxLength: 5 }),
  fc.constantFrom("gpt-4o", "", "a b", "é", "\ud800", "x".repeat(300), "x".repeat(301)),
);

const fields = [
  "model",
  "inputTokens",
  "maxOutputTokens",
  "outputTokens",
  "cachedInputTokens",
  "costUsd",
  "searches",
  "tags",
  "rpm",
];

const inputs = fc.oneof(
  { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...fields), anything, { maxKeys: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, 5, "gpt-4o", [], [5]) },
);

describe("the short way round the schema", () => {
  it("law: takes only what the schema takes, and makes the same of it", () => {
    let taken = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        const plain = plainUsage(input as never);
        if (plain === undefined) return;
        taken++;
        const parsed = usageSchema.safeParse(input);
        expect(parsed.success).toBe(true);
        expect(plain).toEqual(parsed.data);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("law: holds for what was really used, too", () => {
    let taken = 0;
    fc.assert(
      fc.property(inputs, (input) => {
        if (!isPlainActual(input as never)) return;
        taken++;
        expect(actualSchema.safeParse(input).success).toBe(true);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("is a copy: what the caller does to its own afterwards changes nothing", () => {
    const usage = { model: "gpt-4o", inputTokens: 5 };
    const plain = plainUsage(usage);
    usage.inputTokens = -1;
    expect(plain).toMatchObject({ inputTokens: 5 });
  });
});
