import { describe, expect, it } from "vitest";
import type { Limits } from "../../../src/model/limits.js";
import type { Usage } from "../../../src/model/usage.js";
import { passed, readingOf, refusedBy, settled } from "../../scenarios/answers.js";
import { aChain, countedWorld, limited, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL: Usage = { model: "gpt-4o", inputTokens: 100, maxOutputTokens: 100 };

describe("a limit in shadow mode", () => {
  it("refuses nothing, counts everything and says what it would have refused", async () => {
    const { gate } = countedWorld(limited({ org: { rpm: 9 }, key: { rpm: 1, tpm: 150, mode: "shadow" } }));
    const first = passed(await gate.admit(KEY, CALL));
    expect(first.shadow).toMatchObject([{ reason: "too_large", scope: "key", limit: { meter: "tokens" } }]);
    const second = passed(await gate.admit(KEY, CALL));
    expect(second.shadow.map(({ reason }) => reason)).toEqual(["rate_limited", "too_large"]);
    expect(second.shadow[0]).toMatchObject({
      scope: "key",
      limit: { mode: "shadow", used: 1, max: 1 },
      retryAfterMs: 61_000,
    });
    expect(await readingOf(gate, "requests")).toMatchObject({ used: 2, max: 1, mode: "shadow" });
  });

  it("tells an extension, too, what it would have refused", async () => {
    const { gate } = countedWorld(limited({ key: { tpm: 250, mode: "shadow" } }));
    const { reservation, shadow } = passed(await gate.admit(KEY, CALL));
    expect(shadow).toEqual([]);
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 100 }));
    expect(extended.shadow).toMatchObject([{ reason: "rate_limited", limit: { used: 200, max: 250 } }]);
  });

  it("says nothing where it had room, and does not hide what an enforced limit refuses", async () => {
    const { gate } = countedWorld(limited({ project: { rpm: 1 }, key: { rpm: 1, mode: "shadow" } }));
    expect(passed(await gate.admit(KEY, CALL)).shadow).toEqual([]);
    expect(refusedBy(await gate.admit(KEY, CALL))).toMatchObject({ scope: "project" });
  });

  it("passes its mode on to the limits of its models, unless they say otherwise", async () => {
    const perModel: Limits["perModel"] = { free: { rpm: 0 }, "gpt-4o": { rpm: 0, mode: "enforce" } };
    const { gate } = countedWorld(limited({ key: { mode: "shadow", perModel } }));
    passed(await gate.admit(KEY, { model: "free" }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o" }));
  });

  it("does not make a model without a price a refusal, and says that a budget would", async () => {
    const budget: Limits = { budget: { usd: 1, reset: "daily" }, rpm: 1, mode: "shadow" };
    const { gate } = countedWorld(limited({ key: budget }));
    const unheardOf = { ...CALL, model: "unheard-of" };
    const wouldRefuse = { reason: "model_unpriced", message: expect.stringContaining("unheard-of") };
    expect(passed(await gate.check(KEY, unheardOf)).shadow).toMatchObject([wouldRefuse]);
    const first = passed(await gate.admit(KEY, unheardOf));
    expect(first.shadow).toMatchObject([wouldRefuse]);
    expect(passed(await gate.extend(first.reservation, { maxOutputTokens: 1 })).shadow).toMatchObject([
      wouldRefuse,
    ]);
    const second = passed(await gate.admit(KEY, unheardOf));
    expect(second.shadow).toMatchObject([wouldRefuse, { reason: "rate_limited" }]);
    expect(passed(await gate.admit(KEY, { ...unheardOf, costUsd: 0.1, byok: true })).shadow).toHaveLength(1);
  });

  it("says nothing of a price where no budget asks for one, or the gate does not", async () => {
    const unheardOf = { ...CALL, model: "unheard-of" };
    const shadowed = limited({ key: { budget: { usd: 1, reset: "daily" }, rpm: 9, mode: "shadow" } });
    const { gate } = countedWorld(shadowed);
    expect(passed(await gate.admit(KEY, { ...unheardOf, costUsd: 0.1 })).shadow).toEqual([]);
    expect(passed(await gate.admit(KEY, { ...unheardOf, byok: true })).shadow).toEqual([]);
    expect(passed(await gate.admit(KEY, { mcpServer: "github" })).shadow).toEqual([]);
    const free = countedWorld(shadowed, { unpriced: "free" }).gate;
    expect(passed(await free.admit(KEY, unheardOf)).shadow).toEqual([]);
    const { gate: unlimited } = countedWorld(limited({ key: { rpm: 9, mode: "shadow" } }));
    expect(passed(await unlimited.admit(KEY, unheardOf)).shadow).toEqual([]);
  });

  it("is not among the overdrafts of a settle: it will refuse nothing", async () => {
    const { gate } = countedWorld(limited({ key: { tpm: 300, mode: "shadow" } }));
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(settled(await gate.settle(reservation, { outputTokens: 900 })).overdraft).toEqual([]);
  });
});

describe("a call on the customer's own provider key", () => {
  const budgets: Limits = {
    rpm: 9,
    budget: [
      { usd: 1, reset: "daily" },
      { usd: 1, reset: "monthly", countByok: true },
    ],
  };

  it("costs the org nothing, but for budgets that count it, and counts as a request", async () => {
    const { gate } = countedWorld(aChain({ org: { creditsNanoUsd: 1e9 }, key: { limits: budgets } }));
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, byok: true, costUsd: 0.7 }));
    await gate.settle(reservation, { costUsd: 0.6 });
    const readings = await gate.usage({ orgId: "o1", keyId: "k1" });
    expect(readings.map(({ meter, window, used }) => [meter, window, used])).toEqual([
      ["cost", "credits", 0],
      ["requests", "minute", 1],
      ["cost", "daily", 0],
      ["cost", "monthly", 0.6e9],
    ]);
    expect(refusedBy(await gate.admit(KEY, { ...CALL, byok: true, costUsd: 0.7 }))).toMatchObject({
      reason: "budget_exceeded",
      limit: { window: "monthly" },
    });
  });

  it("needs no price where no budget counts it", async () => {
    const { gate } = countedWorld(limited({ key: { budget: { usd: 1, reset: "daily" } } }));
    passed(await gate.admit(KEY, { ...CALL, model: "unheard-of", byok: true }));
    expect(refusedBy(await gate.admit(KEY, { ...CALL, model: "unheard-of" })).reason).toBe("model_unpriced");
  });

  it("needs one where a budget does", async () => {
    const { gate } = countedWorld(limited({ key: budgets }));
    expect(refusedBy(await gate.admit(KEY, { ...CALL, model: "unheard-of", byok: true })).reason).toBe(
      "model_unpriced",
    );
  });
});

describe("credits", () => {
  it("bind over all projects of the org until more are granted, and keep what was spent", async () => {
    const chains = (creditsNanoUsd: number) => [
      aChain({ org: { creditsNanoUsd } }),
      aChain({ org: { creditsNanoUsd }, project: { id: "p2" }, key: { id: "k2" } }),
    ];
    const { gate, put, clock } = world(chains(2e9), { cache: { maxAgeMs: 1 } });
    const dollar = { model: "gpt-4o", costUsd: 1 };
    passed(await gate.admit(KEY, dollar));
    passed(await gate.admit({ keyId: "k2" }, dollar));
    const refusal = refusedBy(await gate.admit({ keyId: "k2" }, dollar));
    expect(refusal).toMatchObject({ reason: "credits_exhausted", scope: "org" });
    expect(refusal.retryAfterMs).toBeUndefined();
    for (const chain of chains(3e9)) put(chain);
    clock.at += 1;
    passed(await gate.admit({ keyId: "k2" }, dollar));
    refusedBy(await gate.admit(KEY, dollar));
  });
});
