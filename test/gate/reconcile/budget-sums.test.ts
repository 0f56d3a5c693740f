import { expect, it } from "vitest";
import { firstStartOf } from "../../../src/gate/reconcile/budget-sums.js";
import { NOON } from "../world.js";

it("finds the first start of more budgets than a function takes arguments: an org may have a key for each", () => {
  const many = Array.from({ length: 150_000 }, () => ({ from: NOON }));
  expect(firstStartOf(many)).toBe(NOON);
  expect(firstStartOf([...many, { from: 5 }])).toBe(5);
});
