import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainActual, plainUsage } from "../../src/model/plain-usage.js";
import { type Actual, actualSchema, type Usage, usageSchema } from "../../src/model/usage.js";

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

const anyTags = fc.oneof(
  fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom("__proto__", "x".repeat(100), "x".repeat(101))),
    anything,
  ),
  fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 60 }),
  fc.constantFrom([], new Map(), { [Symbol("team")]: "search" }),
);

const anyTokens = fc.nat(1e6);

/** What each field is mostly given; now and then it is anything. */
const values: Record<keyof (Usage & Actual) | "rpm", fc.Arbitrary<unknown>> = {
  model: fc.constantFrom("gpt-4o", "x".repeat(300)),
  mcpServer: fc.constant("search"),
  inputTokens: anyTokens,
  maxOutputTokens: anyTokens,
  outputTokens: anyTokens,
  cachedInputTokens: anyTokens,
  reasoningTokens: anyTokens,
  cacheWriteTokens: anyTokens,
  cacheWrite1hTokens: anyTokens,
  audioInputTokens: anyTokens,
  imageInputTokens: anyTokens,
  audioOutputTokens: anyTokens,
  imageOutputTokens: anyTokens,
  inputImages: anyTokens,
  outputImages: anyTokens,
  searches: anyTokens,
  serviceTier: fc.constant("flex"),
  costUsd: fc.oneof(
    fc.double(),
    fc.double({ min: 0, max: 9e6 }).map(String),
    fc.constantFrom(0, -0, "1e-7", "+1"),
  ),
  requestId: fc.string({ maxLength: 250 }),
  byok: fc.boolean(),
  disconnected: fc.boolean(),
  tags: anyTags,
  rpm: anyTokens,
};

const named = fc
  .record(
    Object.fromEntries(
      Object.entries(values).map(([field, value]) => [
        field,
        fc.oneof({ weight: 15, arbitrary: value }, { weight: 1, arbitrary: anything }),
      ]),
    ),
    { requiredKeys: [] },
  )
  .chain((all) => fc.subarray(Object.entries(all), { maxLength: 5 }))
  .map((some): Record<string, unknown> => Object.fromEntries(some));

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

const INHERITED = { model: "gpt-4o", tags: Object.create({ team: "search" }) };

const inputs = fc.oneof(
  { weight: 8, arbitrary: named },
  { weight: 2, arbitrary: named.map(asHidden) },
  { weight: 1, arbitrary: fc.constantFrom(null, undefined, 5, "gpt-4o", [], [5], INHERITED) },
);

describe.each([
  ["what a call is about to use", plainUsage, usageSchema],
  ["what it has really used", plainActual, actualSchema],
] as const)("the short way round the schema, for %s", (_, plain, schema) => {
  it("law: takes only what the schema takes, and makes the same of it", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const made = plain(input as never);
        if (made !== undefined) expect({ success: true, data: made }).toEqual(schema.safeParse(input));
      }),
      { numRuns: 4_000 },
    );
  });

  it("law: takes all of it that plain objects say", () => {
    let taken = 0;
    fc.assert(
      fc.property(named, (input) => {
        const said = Object.values(input).some((value) => value !== undefined);
        if (!said || !schema.safeParse(input).success) return;
        taken++;
        expect(plain(input as never)).toBeDefined();
      }),
      { numRuns: 4_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe("the short way round the schema", () => {
  it("law: counts what it has checked, where fields are getters that say something else the next time", () => {
    fc.assert(
      fc.property(named, (values) => {
        const usage = plainUsage(asGetters(values) as never);
        if (usage) expect(usage).toEqual(usageSchema.parse(asGetters(values)));
        const actual = plainActual(asGetters(values) as never);
        if (actual) expect(actual).toEqual(actualSchema.parse(asGetters(values)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is a copy: what the caller does to its own afterwards changes nothing", () => {
    const usage = { model: "gpt-4o", inputTokens: 5, tags: { team: "search" } };
    const plain = plainUsage(usage);
    usage.inputTokens = -1;
    usage.tags.team = "billing";
    expect(plain).toMatchObject({ inputTokens: 5, tags: { team: "search" } });
  });
});
