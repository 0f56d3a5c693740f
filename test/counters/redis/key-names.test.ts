import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyNames, nameOf, tagOf } from "../../../src/counters/redis/key-names.js";
import { anyString } from "../../any-string.js";

// Redis' own rule, by the library that clients use for it; a dependency of theirs, so resolved from there.
const slotOf: (key: string) => number = createRequire(createRequire(import.meta.url).resolve("ioredis"))(
  "cluster-key-slot",
);

const HOSTILE = [
  "",
  "{",
  "}",
  "{}",
  "}{",
  "a}b",
  "{a}",
  "o1}:s:{o2",
  "#",
  "\ud800",
  "\udfff",
  "\ufffd",
  " ",
  "\u0000",
  "ü",
  "🙂",
];

const orgId = fc.oneof(
  fc.constantFrom(...HOSTILE),
  anyString({ maxLength: 40 }),
  fc.string({ maxLength: 80 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 })
    .map((units) => String.fromCharCode(...units)),
  fc.integer({ min: 60, max: 10_000 }).map((length) => "x".repeat(length)),
);

describe("the keys of an org", () => {
  const names = new KeyNames("tollgate:");

  it("lie in one slot, whatever the ids in them", () => {
    fc.assert(
      fc.property(orgId, orgId, orgId, (org, id, other) => {
        const keys = [names.scope(org, id), names.reservation(org, other), names.idempotency(org, id)];
        const slots = new Set(keys.map(slotOf));
        expect(slots).toEqual(new Set([slotOf(tagOf(org).slice(1, -1))]));
      }),
    );
  });

  it("carry a tag that no id breaks out of", () => {
    fc.assert(fc.property(orgId, (org) => /^\{[^{}]{1,64}\}$/.test(tagOf(org))));
  });

  it("are those of no other org, also where ids differ in lone surrogates only", () => {
    fc.assert(
      fc.property(orgId, orgId, (a, b) => {
        const bytes = (text: string) => Buffer.from(text).toString("hex"); // as a client sends them
        expect(bytes(tagOf(a)) === bytes(tagOf(b))).toBe(a === b);
      }),
      {
        examples: [
          ["\ud800", "\ud801"],
          ["\ud800", "\ufffd"],
          ["x".repeat(9_999), "x".repeat(10_000)],
        ],
      },
    );
  });

  it("are named after scopes and reservations that stay apart", () => {
    fc.assert(
      fc.property(orgId, orgId, (a, b) => {
        const bytes = (text: string) => Buffer.from(nameOf(text)).toString("hex");
        expect(bytes(a) === bytes(b)).toBe(a === b);
        expect(nameOf(a).length).toBeLessThanOrEqual(128);
      }),
      {
        examples: [
          ["\ud800", "\ufffd"],
          ["\ud800", "\udbff"],
        ],
      },
    );
  });
});
