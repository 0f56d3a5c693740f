import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Limit } from "../../../src/admission/limit.js";
import { layoutOf } from "../../../src/counters/wire/layout.js";
import { planFrom } from "../../../src/counters/wire/plan-text.js";
import { limitsAt } from "../limits.js";

const limits = ["org", "key"].flatMap((kind) =>
  limitsAt(kind as "org", {
    rpm: 9,
    tpm: 9,
    budget: [
      { usd: 1, reset: "daily" },
      { usd: 2, reset: "never" },
    ],
  }),
);

/** For each count the places of its amount and its period. */
function placesOf(given: readonly Limit[], isWide: boolean) {
  const layout = layoutOf(
    (text) => text,
    "o1",
    given.map((limit) => ({ limit, amount: 1 })),
    isWide,
  );
  const counts = layout.scopes.flatMap(({ rows }) => rows.flatMap((row) => row.counts));
  const named = counts.map(({ limit, amount, period }) => [
    `${limit.scopeKey} ${limit.field}`,
    [amount, period],
  ]);
  return { tags: layout.tags, places: Object.fromEntries(named) };
}

describe("the layout of a call", () => {
  it("law: calls whose tags are the same have the amounts of each count at the same places", () => {
    const some = fc
      .shuffledSubarray(limits)
      .chain((order) =>
        fc.tuple(
          fc.constant(order),
          fc.array(fc.boolean(), { minLength: order.length, maxLength: order.length }),
          fc.boolean(),
        ),
      );
    const seen = new Map<string, unknown>();
    let again = 0;
    fc.assert(
      fc.property(some, ([order, byok, isWide]) => {
        const given = order.map((limit, i) => {
          return { ...limit, countByok: limit.meter === "cost" && byok[i] ? (true as const) : undefined };
        });
        const { tags, places } = placesOf(given, isWide);
        const before = seen.get(tags);
        if (before !== undefined) again++;
        expect(before ?? places).toEqual(places);
        seen.set(tags, places);
      }),
      { numRuns: 2_000 },
    );
    expect(again).toBeGreaterThan(100);
  });
});

it("a plan gives back the limits that it was made of: their mode, their models, what counts and when it is told", () => {
  const given = limitsAt("project", {
    rpm: 9,
    tpm: 8,
    inFlight: 7,
    budget: [
      { usd: 1, reset: "daily", countByok: true },
      { usd: 2, reset: "monthly", alertAt: [0.5] },
      { usd: 3, reset: "never" },
    ],
    perModel: { "a/*": { rpm: 5, mode: "shadow" } },
  });
  const charges = given.map((limit) => ({ limit, amount: 1 }));
  const { counts: read } = planFrom(layoutOf((text) => text, "o1", charges, false).plan);
  const byField = (limits: readonly Limit[]) =>
    JSON.parse(JSON.stringify(Object.fromEntries(limits.map((limit) => [limit.field, limit]))));
  expect(byField(read.map(({ limit }) => limit))).toEqual(byField(given));
});
