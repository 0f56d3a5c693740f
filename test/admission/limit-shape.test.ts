import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { Use } from "../../src/admission/amounts.js";
import type { Limit } from "../../src/admission/limit.js";
import { LimitShape, LimitShapes } from "../../src/admission/limit-shape.js";
import { Calendar, periodAt } from "../../src/admission/period.js";
import { Plan } from "../../src/admission/plan.js";
import type { Limits } from "../../src/model/limits.js";
import { limitsAt } from "../counters/limits.js";

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 4, 15, 12);

const ALL: Required<Omit<Limits, "mode" | "perModel">> = {
  rpm: 1,
  tpm: 2,
  inputTpm: 3,
  outputTpm: 4,
  rpd: 9,
  tpd: 10,
  inFlight: 5,
  budget: [
    { usd: 6, reset: "daily" },
    { usd: 7, reset: "monthly", countByok: true },
    { usd: 8, reset: "never" },
  ],
};

/** How much of a use counts against a limit, written out once more. */
function counted({ meter, countByok }: Limit, use: Use): number {
  const { requests, inputTokens, outputTokens, slots } = use;
  const cost = use.byok && !countByok ? 0 : use.costNanoUsd;
  return { requests, tokens: inputTokens + outputTokens, inputTokens, outputTokens, cost, inFlight: slots }[
    meter
  ];
}

const shapeOf = (...limits: readonly Limits[]) =>
  new LimitShape(
    limits.flatMap((part) => limitsAt("key", part)),
    new Calendar(),
  );

describe("the shape of limits", () => {
  test("law: it has the amounts and the periods that the limits have one by one", () => {
    const limits = limitsAt("key", ALL);
    const calendar = new Calendar();
    const use = fc.record({
      requests: fc.nat(),
      inputTokens: fc.nat(),
      outputTokens: fc.nat(),
      costNanoUsd: fc.nat(),
      slots: fc.nat(),
      byok: fc.boolean(),
    });
    const steps = fc.array(fc.oneof(fc.nat(DAY), fc.integer({ min: -2 * DAY, max: 40 * DAY })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(use, steps, (used, moves) => {
        const plan = new Plan(true, undefined, limits, new LimitShape(limits, calendar));
        let now = NOON;
        for (const move of moves) {
          now += move;
          expect(plan.charges(used, now)).toEqual({
            limits,
            amounts: limits.map((limit) => counted(limit, used)),
            periods: limits.map(({ window }) =>
              window.kind === "calendar" ? periodAt(window.name, window.timeZone, now) : undefined,
            ),
          });
        }
      }),
    );
  });

  it("has the same periods until the first of them ends, and from when the last began", () => {
    const shape = shapeOf({
      rpm: 1,
      budget: [
        { usd: 1, reset: "daily" },
        { usd: 2, reset: "weekly" },
      ],
    });
    const midnight = Date.UTC(2026, 4, 15);
    const periods = shape.periodsAt(NOON);
    expect(periods.map((period) => period && [period.startsAt, period.endsAt])).toEqual([
      undefined,
      [midnight, midnight + DAY],
      [midnight - 4 * DAY, midnight + 3 * DAY],
    ]);
    expect([midnight, midnight + DAY - 1].map((at) => shape.periodsAt(at) === periods)).toEqual([true, true]);
    expect(shape.periodsAt(midnight + DAY)[1]?.startsAt).toBe(midnight + DAY);
    expect(shape.periodsAt(midnight - 1)[1]?.endsAt).toBe(midnight);
    const none = shapeOf({ rpm: 1 });
    expect(none.periodsAt(0)).toBe(none.periodsAt(NOON));
  });

  it("needs to know the input where a limit refuses by it", () => {
    const needing: readonly Limits[] = [{ tpm: 1 }, { inputTpm: 1 }, { tpd: 1 }];
    for (const limits of needing) {
      expect(shapeOf({ rpm: 1 }, limits).needsInput).toBe(true);
      expect(shapeOf({ rpm: 1 }, { ...limits, mode: "shadow" }).needsInput).toBe(false);
    }
    expect(
      shapeOf({ rpm: 1, outputTpm: 1, inFlight: 1, budget: { usd: 1, reset: "daily" } }).needsInput,
    ).toBe(false);
  });

  it("says whether money is counted, and whether a call can be refused by it", () => {
    const budget: Limits = { budget: { usd: 1, reset: "daily" } };
    const both: Limits = { budget: { usd: 1, reset: "never", countByok: true } };
    const rules = (...limits: readonly Limits[]) => {
      const { cost, byokCost } = shapeOf(...limits);
      return [cost, byokCost];
    };
    expect(rules({ rpm: 1, tpm: 1 })).toEqual(["none", "none"]);
    expect(rules({ rpm: 1 }, budget)).toEqual(["enforce", "none"]);
    expect(rules({ rpm: 1 }, { ...budget, mode: "shadow" })).toEqual(["shadow", "none"]);
    expect(rules({ ...budget, mode: "shadow" }, both)).toEqual(["enforce", "enforce"]);
    expect(rules(budget, { ...both, mode: "shadow" })).toEqual(["enforce", "shadow"]);
  });
});

describe("shapes", () => {
  const rpm = (mode?: "shadow") => limitsAt("key", { rpm: 1, ...(mode && { mode }) });

  it("are shared by lists of limits that differ in scope and max alone", () => {
    const shapes = new LimitShapes(new Calendar());
    const shape = shapes.of(limitsAt("key", ALL));
    expect(shapes.of(limitsAt("org", { ...ALL, rpm: 99 }))).toBe(shape);
    const others: Limit[][] = [
      limitsAt("key", { ...ALL, mode: "shadow" }),
      limitsAt("key", { ...ALL, rpm: undefined }),
      limitsAt("key", { ...ALL, budget: [{ usd: 6, reset: "daily" }] }),
      limitsAt("key", { rpm: 1 }),
      limitsAt("key", { rpd: 1 }),
    ];
    const made = others.map((limits) => shapes.of(limits));
    expect(new Set([shape, ...made]).size).toBe(1 + others.length);
    expect(shapes.of(rpm())).not.toBe(shapes.of(rpm("shadow")));
    const [one, other] = [shape.blank(), shape.blank()];
    one.fill(3);
    expect(other).toEqual(limitsAt("key", ALL).map(() => Number.NaN)); // each call has a list of its own
    const daily = (countByok: boolean) =>
      shapes.of(limitsAt("key", { budget: { usd: 1, reset: "daily", countByok } }));
    expect(daily(true).byokCost).toBe("enforce");
    expect(daily(false).byokCost).toBe("none");
  });

  it("are kept for a thousand lists; one beyond that has its own", () => {
    const shapes = new LimitShapes(new Calendar());
    // As many limits as the number has bits, in one mode or the other: each number is a list of its own.
    const listOf = (number: number) =>
      Array.from(number.toString(2)).flatMap((bit) => rpm(bit === "1" ? "shadow" : undefined));
    const made = Array.from({ length: 1_001 }, (_, number) => shapes.of(listOf(number)));
    expect(shapes.of(listOf(0))).toBe(made[0]);
    expect(shapes.of(listOf(999))).toBe(made[999]);
    expect(shapes.of(listOf(1_000))).not.toBe(made[1_000]);
    expect(shapes.of(listOf(1_000)).meters).toHaveLength(10);
  });
});

describe("a plan", () => {
  it("has the max of each limit beside it, and nothing found yet", () => {
    const limits = limitsAt("key", { rpm: 3, tpm: 4 });
    const shape = new LimitShape(limits, new Calendar());
    const plan = new Plan(false, ["m"], limits, shape);
    expect({ ...plan }).toStrictEqual({
      allowed: false,
      models: ["m"],
      limits,
      maxes: [3, 4],
      shape,
      epoch: undefined,
      blocks: [],
      places: { blocks: [], offsets: [], kinds: [] },
    });
  });

  it("shares its maxes with the plan before it, where they are the same", () => {
    const calendar = new Calendar();
    const [three, four] = [limitsAt("key", { rpm: 3, tpm: 4 }), limitsAt("key", { rpm: 3, tpm: 5 })];
    const shape = new LimitShape(three, calendar);
    const maxesOf = (limits: typeof three) => new Plan(true, undefined, limits, shape).maxes;
    const first = maxesOf(three);
    expect(maxesOf(limitsAt("key", { rpm: 3, tpm: 4 }, "another"))).toBe(first);
    expect(maxesOf(four)).toEqual([3, 5]);
    expect(maxesOf(three.slice(0, 1))).toEqual([3]);
    expect(first).toEqual([3, 4]);
  });
});
