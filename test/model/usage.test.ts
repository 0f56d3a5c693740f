import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { actualSchema, plainActual, plainUsage, usageSchema } from "../../src/model/usage.js";

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

const named = fc.dictionary(fc.constantFrom(...fields), anything, { maxKeys: 4 });

/** As the classes of others have their fields: by getters, of which a loop over the fields sees nothing; each works once. */
function asGetters(values: Record<string, unknown>): object {
  const left = new Map(Object.entries(values));
  const getters = Object.entries(values).map(([field]) => {
    const get = () => {
      const value = left.get(field);
      left.set(field, -1);
      return value;
    };
    return [field, { get }] as const;
  });
  return Object.create(Object.create(Object.prototype, Object.fromEntries(getters)));
}

/** The same where nobody looks for them. */
function asHidden(values: Record<string, unknown>): object {
  const hidden = Object.entries(values).map(([field, value]) => [field, { value }] as const);
  return Object.defineProperties({}, Object.fromEntries(hidden));
}

const inputs = fc.oneof(
  { weight: 8, arbitrary: named },
  { weight: 2, arbitrary: named.map(asHidden) },
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
        const plain = plainActual(input as never);
        if (plain === undefined) return;
        taken++;
        const parsed = actualSchema.safeParse(input);
        expect(parsed.success).toBe(true);
        expect(plain).toEqual(parsed.data);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("law: counts what it has checked, where fields are getters that say something else the next time", () => {
    fc.assert(
      fc.property(named, (values) => {
        const usage = plainUsage(asGetters(values) as never);
        if (usage) expect(usage).toEqual(usageSchema.parse(asGetters(values)));
        const actual = plainActual(asGetters(values) as never);
        if (actual) expect(actual).toEqual(actualSchema.parse(asGetters(values)));
      }),
      { numRuns: 5_000 },
    );
  });

  it("is a copy: what the caller does to its own afterwards changes nothing", () => {
    const usage = { model: "gpt-4o", inputTokens: 5 };
    const plain = plainUsage(usage);
    usage.inputTokens = -1;
    expect(plain).toMatchObject({ inputTokens: 5 });
  });
});
