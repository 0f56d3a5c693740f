import { describe, expect, it } from "vitest";
import { amountOf, type Use } from "../../src/admission/amounts.js";
import { chargeList, sideBySide } from "../../src/admission/charge.js";
import {
  budgetsOf,
  compileLimits,
  creditLimit,
  type Limit,
  type Scope,
  sameCount,
  scopeKey,
  WINDOW_KINDS,
} from "../../src/admission/limit.js";
import { LimitCache } from "../../src/admission/limit-cache.js";
import { budgetResetSchema, type Limits, type Meter, meterSchema } from "../../src/model/limits.js";
import { limitOf, limitsAt } from "../counters/limits.js";

const SCOPE: Scope = { kind: "project", id: "p1", key: "the key", timeZone: "Europe/Berlin" };
const MINUTE = { kind: "sliding", name: "minute", lengthMs: 60_000 } as const;
const DAY = { kind: "sliding", name: "day", lengthMs: 86_400_000 } as const;

/** A limit as it is compiled in `SCOPE`; what is not said of it is as for most. */
const compiled = (said: Partial<Limit>) => ({
  scope: "project",
  scopeId: "p1",
  scopeKey: "the key",
  mode: "enforce",
  perModel: undefined,
  countByok: undefined,
  alertAt: undefined,
  ...said,
});

describe("the limits of a scope", () => {
  it("are rates by the minute, by the day and at the same time, in this order", () => {
    const limits: Limits = {
      inFlight: 7,
      tpd: 6,
      rpd: 5,
      outputTpm: 4,
      inputTpm: 3,
      tpm: 2,
      rpm: 0,
    };
    expect(compileLimits(limits, SCOPE)).toStrictEqual([
      compiled({ field: "requests/minute", meter: "requests", max: 0, window: MINUTE }),
      compiled({ field: "tokens/minute", meter: "tokens", max: 2, window: MINUTE }),
      compiled({ field: "inputTokens/minute", meter: "inputTokens", max: 3, window: MINUTE }),
      compiled({ field: "outputTokens/minute", meter: "outputTokens", max: 4, window: MINUTE }),
      compiled({ field: "requests/day", meter: "requests", max: 5, window: DAY }),
      compiled({ field: "tokens/day", meter: "tokens", max: 6, window: DAY }),
      compiled({
        field: "inFlight/in-flight",
        meter: "inFlight",
        max: 7,
        window: { kind: "inFlight", name: "in-flight" },
      }),
    ]);
  });

  it("are budgets in nano-USD, of a calendar in the zone of the org or for ever", () => {
    const limits: Limits = {
      budget: [
        { usd: 2, reset: "monthly", alertAt: [1, 0.5, 0.75], countByok: true },
        { usd: "0.5", reset: "never", countByok: false },
      ],
      mode: "shadow",
    };
    expect(compileLimits(limits, SCOPE)).toStrictEqual([
      compiled({
        field: "cost/monthly",
        meter: "cost",
        max: 2e9,
        window: { kind: "calendar", name: "monthly", timeZone: "Europe/Berlin" },
        mode: "shadow",
        countByok: true,
        alertAt: [0.5, 0.75, 1],
      }),
      compiled({
        field: "cost/lifetime",
        meter: "cost",
        max: 5e8,
        window: { kind: "lifetime", name: "lifetime" },
        mode: "shadow",
      }),
    ]);
    expect(limits.budget).toMatchObject([{ alertAt: [1, 0.5, 0.75] }, {}]);
  });

  it("of single models come last, with the mode of the scope unless they say another", () => {
    const limits: Limits = {
      perModel: { "openai/*": { rpm: 1 }, m: { rpm: 2, tpm: 4, mode: "enforce" } },
      rpm: 3,
      mode: "shadow",
    };
    expect(
      compileLimits(limits, SCOPE).map(({ field, max, mode, perModel }) => [field, max, mode, perModel]),
    ).toEqual([
      ["requests/minute", 3, "shadow", undefined],
      ["requests/minute/openai/*", 1, "shadow", "openai/*"],
      ["requests/minute/m", 2, "enforce", "m"],
      ["tokens/minute/m", 4, "enforce", "m"],
    ]);
  });

  it("are none where nothing is said", () => {
    expect(compileLimits(undefined, SCOPE)).toEqual([]);
    expect(compileLimits({}, SCOPE)).toEqual([]);
    expect(budgetsOf(undefined)).toEqual([]);
    expect(budgetsOf([])).toEqual([]);
  });

  it("cannot be changed: they are shared by all calls that they apply to", () => {
    const limits = compileLimits(
      { rpm: 1, rpd: 1, inFlight: 1, budget: [{ usd: 1, reset: "daily", alertAt: [1] }] },
      SCOPE,
    );
    limits.push(...compileLimits({ budget: { usd: 1, reset: "never" } }, SCOPE), creditLimit(1, SCOPE));
    expect(limits.map((limit) => Object.isFrozen(limit))).toEqual(limits.map(() => true));
    expect(limits.map(({ window }) => Object.isFrozen(window))).toEqual(limits.map(() => true));
    expect(limits.map(({ alertAt }) => Object.isFrozen(alertAt))).toEqual(limits.map(() => true));
  });

  it("of credit are all that was granted, against all that was spent", () => {
    expect(creditLimit(7, SCOPE)).toStrictEqual(
      compiled({
        field: "cost/credits",
        meter: "cost",
        max: 7,
        window: { kind: "lifetime", name: "credits" },
      }),
    );
  });
});

describe("what names a count", () => {
  it("is the scope by kind and ids, whatever they contain, and the meter, window and model", () => {
    expect(scopeKey("member", "o1", "p1", "u1")).toBe('["member","o1","p1","u1"]');
    expect(scopeKey("project", "a", 'b","c')).not.toBe(scopeKey("member", "a", "b", "c"));
    expect(sameCount(limitOf({ rpm: 1 }), limitOf({ rpm: 2 }))).toBe(true);
    expect(sameCount(limitOf({ rpm: 1 }), limitOf({ tpm: 1 }))).toBe(false);
    expect(sameCount(limitOf({ rpm: 1 }), limitOf({ rpd: 1 }))).toBe(false);
    expect(sameCount(limitOf({ rpm: 1 }), limitOf({ perModel: { m: { rpm: 1 } } }))).toBe(false);
    expect(sameCount(limitOf({ rpm: 1 }), limitOf({ rpm: 1 }, "project"))).toBe(false);
  });
});

describe("limits that are compiled once", () => {
  const limits: Limits = { rpm: 1 };

  it("are shared by all who ask for the same scope, time zone and limits", () => {
    const cache = new LimitCache();
    const first = cache.compile(limits, SCOPE);
    expect(first).toEqual(compileLimits(limits, SCOPE));
    expect(cache.compile({ rpm: 1 }, { ...SCOPE })).toBe(first);
    expect(cache.compile({ rpm: 2 }, SCOPE)).toMatchObject([{ max: 2 }]);
    expect(cache.compile(limits, { ...SCOPE, key: "other" })).toMatchObject([{ scopeKey: "other" }]);
    const budget: Limits = { budget: { usd: 1, reset: "daily" } };
    const [berlin, utc] = [SCOPE, { ...SCOPE, timeZone: "UTC" }].map((scope) => cache.compile(budget, scope));
    expect(berlin).toMatchObject([{ window: { timeZone: "Europe/Berlin" } }]);
    expect(utc).toMatchObject([{ window: { timeZone: "UTC" } }]);
    expect(cache.compile(undefined, SCOPE)).toEqual([]);
  });

  it("take no place where nothing is said of a scope", () => {
    const cache = new LimitCache(1);
    const first = cache.compile(limits, SCOPE);
    expect(cache.compile(undefined, { ...SCOPE, key: "other" })).toEqual([]);
    expect(cache.compile(limits, SCOPE)).toBe(first);
  });

  it("are kept for as many scopes as it was told, the newest", () => {
    const cache = new LimitCache(2);
    const of = (key: string) => cache.compile(limits, { ...SCOPE, key });
    const [a, b] = [of("a"), of("b")];
    expect([of("a"), of("b")]).toEqual([a, b]);
    expect(of("a")).toBe(a);
    const c = of("c");
    expect([of("b"), of("c")].map((kept, i) => kept === [b, c][i])).toEqual([true, true]);
    expect(of("a")).not.toBe(a);
  });
});

it("each window is of the kind that its name says", () => {
  const everything: Required<Omit<Limits, "mode" | "perModel">> = {
    rpm: 1,
    tpm: 1,
    inputTpm: 1,
    outputTpm: 1,
    rpd: 1,
    tpd: 1,
    inFlight: 1,
    budget: budgetResetSchema.options.map((reset) => ({ usd: 1, reset })),
  };
  const windows = [...compileLimits(everything, SCOPE), creditLimit(1, SCOPE)].map(({ window }) => window);
  expect(new Set(windows.map(({ name }) => name))).toEqual(new Set(Object.keys(WINDOW_KINDS)));
  for (const { name, kind } of windows) expect([name, WINDOW_KINDS[name]]).toEqual([name, kind]);
});

describe("how much of a call counts", () => {
  const use: Use = {
    requests: 1,
    inputTokens: 20,
    outputTokens: 300,
    costNanoUsd: 4_000,
    slots: 5,
    byok: false,
  };

  it("is what the limit's meter measures", () => {
    const meters: readonly (readonly [Limits, Meter, number])[] = [
      [{ rpm: 1 }, "requests", 1],
      [{ tpm: 1 }, "tokens", 320],
      [{ inputTpm: 1 }, "inputTokens", 20],
      [{ outputTpm: 1 }, "outputTokens", 300],
      [{ budget: { usd: 1, reset: "daily" } }, "cost", 4_000],
      [{ inFlight: 1 }, "inFlight", 5],
    ];
    expect(meters.map(([, meter]) => meter).sort()).toEqual([...meterSchema.options].sort());
    for (const [limits, meter, amount] of meters) {
      const limit = limitOf(limits);
      expect([limit.meter, amountOf(limit, use)]).toEqual([meter, amount]);
    }
  });

  it("is no money on the customer's own key, but for budgets that count that", () => {
    const byok = { ...use, byok: true };
    expect(amountOf(limitOf({ budget: { usd: 1, reset: "daily" } }), byok)).toBe(0);
    expect(amountOf(limitOf({ budget: { usd: 1, reset: "daily", countByok: true } }), byok)).toBe(4_000);
    expect(amountOf(limitOf({ budget: { usd: 1, reset: "daily", countByok: true } }), use)).toBe(4_000);
    expect(amountOf(limitOf({ tpm: 1 }), byok)).toBe(320);
  });
});

describe("charges", () => {
  it("are the same one by one and side by side", () => {
    const period = { index: 1, startsAt: 2, endsAt: 3 };
    const [rpm, budget] = limitsAt("key", { rpm: 1, budget: { usd: 1, reset: "daily" } });
    if (rpm === undefined || budget === undefined) throw new Error("two limits");
    const list = [
      { limit: rpm, amount: 7, period: undefined },
      { limit: budget, amount: 8, period },
    ];
    const charges = { limits: [rpm, budget], amounts: [7, 8], periods: [undefined, period] };
    expect(sideBySide(list)).toEqual(charges);
    expect(chargeList(charges)).toEqual(list);
    expect(chargeList({ ...charges, amounts: [] })).toMatchObject([{ amount: 0 }, { amount: 0 }]);
  });
});
