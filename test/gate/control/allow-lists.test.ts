import fc from "fast-check";
import { expect, test } from "vitest";
import { contains, firstOutside, intersectLists } from "../../../src/gate/control/allow-lists.js";
import { listAllows, matches } from "../../../src/model/patterns.js";

const segment = fc.constantFrom("a", "b", "*");
const pattern = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"));

/** Every model of up to six segments of three names: more than any pattern above can tell apart. */
const MODELS: string[] = [];
for (let level = [""], depth = 0; depth < 6; depth++) {
  level = level.flatMap((path) => ["a", "b", "c"].map((name) => (path ? `${path}/${name}` : name)));
  MODELS.push(...level);
}

test("an intersection matches exactly what both patterns match", () => {
  fc.assert(
    fc.property(pattern, pattern, (a, b) => {
      const [both] = intersectLists([[a], [b]]) ?? [];
      const wrong = MODELS.find(
        (model) => (matches(a, model) && matches(b, model)) !== (both !== undefined && matches(both, model)),
      );
      expect(wrong).toBeUndefined();
      expect(intersectLists([[b], [a]])).toEqual(both === undefined ? [] : [both]);
    }),
    { numRuns: 300 },
  );
});

test("a pattern contains another exactly where it matches all that the other matches", () => {
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      const all = MODELS.every((model) => !matches(inner, model) || matches(outer, model));
      expect(contains(outer, inner)).toBe(all);
    }),
    { numRuns: 500 },
  );
});

const list = fc.option(fc.array(pattern, { maxLength: 4 }), { nil: null });

test("lists intersect to what all of them allow", () => {
  fc.assert(
    fc.property(fc.array(list, { maxLength: 3 }), (lists) => {
      const both = intersectLists(lists);
      const wrong = MODELS.find(
        (model) => lists.every((one) => listAllows(one, model)) !== listAllows(both, model),
      );
      expect(wrong).toBeUndefined();
    }),
    { numRuns: 200 },
  );
});

test("lists that have more in common than anybody reads are told in part, and soon", () => {
  const a = Array.from({ length: 1_000 }, (_, i) => `*/x${i}/*`);
  const b = Array.from({ length: 1_000 }, (_, i) => `y${i}/*`);
  const both = intersectLists([a, b]);
  expect(both).toHaveLength(1_000);
  expect(both?.[0]).toBe("y0/x0/*");
});

test("a list with nothing outside another allows nothing that the other does not", () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 4 }), list, (inner, outer) => {
      if (firstOutside(inner, outer) !== undefined) return;
      expect(MODELS.find((model) => listAllows(inner, model) && !listAllows(outer, model))).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test("a virtual model is within a list that names it or covers all its targets", () => {
  const virtualModels = { fast: ["a/x", "b/y"] };
  expect(firstOutside(["fast"], ["fast"], virtualModels)).toBeUndefined();
  expect(firstOutside(["fast"], ["a/*", "b/*"], virtualModels)).toBeUndefined();
  expect(firstOutside(["fast"], ["a/*"], virtualModels)).toBe("fast");
  expect(firstOutside(["constructor"], ["a"], virtualModels)).toBe("constructor");
});
