import { priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, settled } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 1_000, maxOutputTokens: 1_000 };

describe.each(everyCounters)("a reported usage of zero (litellm#37992), %s", (_, make) => {
  const budgeted = () =>
    world(limited({ key: { tpm: 10_000, budget: { usd: 1, reset: "monthly" } } }), { counters: make() }).gate;

  it("is zero tokens and zero dollars, and not the estimate", async () => {
    const gate = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const { charged } = settled(await gate.settle(reservation, { inputTokens: 0, outputTokens: 0 }));
    expect(charged).toEqual({ requests: 1, inputTokens: 0, outputTokens: 0, tokens: 0, costNanoUsd: 0 });
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 0 });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("of output leaves the input as it was estimated, and of input the output", async () => {
    const gate = budgeted();
    const first = passed(await gate.admit(KEY, CALL)).reservation;
    expect(settled(await gate.settle(first, { outputTokens: 0 })).charged).toMatchObject({
      inputTokens: 1_000,
      outputTokens: 0,
      costNanoUsd: 2_500_000,
    });
    const second = passed(await gate.admit(KEY, CALL)).reservation;
    expect(settled(await gate.settle(second, { inputTokens: 0 })).charged).toMatchObject({
      inputTokens: 0,
      outputTokens: 1_000,
      costNanoUsd: 10_000_000,
    });
  });

  it("of dollars is zero dollars, whatever the tokens would have cost", async () => {
    const gate = budgeted();
    for (const costUsd of [0, "0", "0.000"]) {
      const { reservation } = passed(await gate.admit(KEY, CALL));
      await gate.settle(reservation, { inputTokens: 1_000, outputTokens: 1_000, costUsd });
    }
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 6_000 });
  });

  it("of tokens still pays what the model costs per request", async () => {
    const prices = priceCatalog.of({
      "gpt-4o": { inputUsdPerMillion: 2.5, outputUsdPerMillion: 10, usdPerRequest: 0.01 },
    });
    const { gate } = world(limited({ key: { budget: { usd: 1, reset: "monthly" } } }), {
      counters: make(),
      prices,
    });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    await gate.settle(reservation, { inputTokens: 0, outputTokens: 0 });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.01);
  });

  it("that is not reported at all is the estimate", async () => {
    const gate = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect(settled(await gate.settle(reservation, {})).charged).toEqual({
      requests: 1,
      inputTokens: 1_000,
      outputTokens: 1_000,
      tokens: 2_000,
      costNanoUsd: 12_500_000,
    });
  });
});
