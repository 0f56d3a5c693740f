import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listAllows, matches, patternSchema } from "../../src/model/patterns.js";

describe("a pattern", () => {
  it.each([
    ["gpt-4o", "gpt-4o", true],
    ["gpt-4o", "gpt-4o-mini", false],
    ["bedrock/*", "bedrock/claude", true],
    ["bedrock/*", "bedrock/us/claude", true],
    ["bedrock/*", "bedrockz/claude", false],
    ["bedrock/*", "bedrock", false],
    ["bedrock/*", "a/bedrock/claude", false],
    ["*/claude", "bedrock/claude", true],
    ["*/claude", "bedrock/us/claude", false],
    ["bedrock/*/claude", "bedrock/us/claude", true],
    ["bedrock/*/claude", "bedrock/us/eu/claude", false],
    ["*", "gpt-4o", true],
    ["*", "bedrock/us/claude", true],
    ["a.c", "abc", false],
  ])("%s against %s: %s", (pattern, model, expected) => {
    expect(matches(pattern, model)).toBe(expected);
  });

  it.each(["gpt-*", "bed*rock/x", "**", "a/**"])("%s is refused: * stands for a whole segment", (pattern) => {
    expect(patternSchema.safeParse(pattern).success).toBe(false);
  });

  it("law: a pattern without * matches itself and nothing else", () => {
    const model = fc.string({ minLength: 1 }).filter((text) => !text.includes("*"));
    fc.assert(
      fc.property(model, model, (a, b) => {
        expect(matches(a, b)).toBe(a === b);
        expect(matches(a, a)).toBe(true);
      }),
    );
  });

  it("law: prefix/* matches exactly what begins with prefix and a slash", () => {
    const segment = fc.stringMatching(/^[a-z]{1,3}$/);
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(path, path, (prefix, model) => {
        expect(matches(`${prefix}/*`, model)).toBe(model.startsWith(`${prefix}/`));
      }),
    );
  });
});

describe("a list", () => {
  it("of null or nothing said allows everything, and [] nothing", () => {
    expect([listAllows(null, "x"), listAllows(undefined, "x"), listAllows([], "x")]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
