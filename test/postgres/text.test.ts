import fc from "fast-check";
import { expect, it } from "vitest";
import { fromStorableJson, storable, storableJson } from "../../src/postgres/text.js";

/** What Postgres cannot hold, what it is written as, and what either could be mistaken for. */
const parts = ["\0", "\u{10FFFE}", "\ud800", "\udfff", "0000", "d800", "dbff", "\\", "\\u", '"', "a", "日"];

const odd = fc.array(fc.constantFrom(...parts), { maxLength: 6 }).map((all) => all.join(""));

const isStorable = (text: string) => text.isWellFormed() && !text.includes("\0");

it("law: every text has a form of its own that Postgres can hold, which for nearly all is the text itself", () => {
  fc.assert(
    fc.property(odd, odd, (one, other) => {
      expect(isStorable(storable(one))).toBe(true);
      expect(storable(one) === storable(other)).toBe(one === other);
      if (isStorable(one) && !one.includes("\u{10FFFE}")) expect(storable(one)).toBe(one);
    }),
    { numRuns: 1_000 },
  );
});

it("law: data come back from JSON that Postgres can hold as they were, keys included", () => {
  fc.assert(
    fc.property(fc.dictionary(odd, fc.array(odd, { maxLength: 2 }), { maxKeys: 2 }), (data) => {
      const json = storableJson(data);
      expect(fromStorableJson(json)).toEqual(data);
      const texts = Object.entries<string[]>(JSON.parse(json)).flat(2);
      expect(texts.filter((text) => !isStorable(text))).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});
