import { expect, it } from "vitest";
import { creditLimit } from "../../../src/admission/limit.js";
import { firstStartOf } from "../../../src/gate/reconcile/budget-sums.js";
import { NOON } from "../world.js";

it("finds the first start of more budgets than a function takes arguments: an org may have a key for each", () => {
  const limit = creditLimit(1, { kind: "org", id: "o1", key: "o1", timeZone: "UTC" });
  const period = { index: 1, startsAt: NOON, endsAt: NOON + 1 };
  const many = Array.from({ length: 150_000 }, () => ({ limit, period, from: 0, projectId: "p1" }));
  expect(firstStartOf(many)).toBe(NOON);
  expect(firstStartOf([...many, { limit, period: undefined, from: 5, projectId: "p1" }])).toBe(5);
});
