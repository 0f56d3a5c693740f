import { expect, it } from "vitest";
import { chargedAt } from "../../src/model/charged-at.js";

it.each([
  [5, 10],
  [10, 10],
  [19, 19],
  [20, 19],
])("a call made at %i counts as made at %i, within the period that was charged", (reservedAt, at) => {
  expect(chargedAt({ periods: [undefined, { startsAt: 10, endsAt: 20 }] }, reservedAt)).toBe(at);
});
