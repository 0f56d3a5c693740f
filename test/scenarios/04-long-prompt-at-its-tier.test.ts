import { priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, settled } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

/** 300,000 input tokens cost 0.108 USD at the base price and 0.15 USD at the tier they reach. */
const byHand = priceCatalog.of({
  long: {
    inputUsdPerMillion: 0.36,
    outputUsdPerMillion: 0,
    tiers: [{ aboveInputTokens: 272_000, inputUsdPerMillion: 0.5 }],
  },
});

const fromLiteLLM = priceCatalog.fromLiteLLM({
  long: {
    input_cost_per_token: 3.6e-7,
    input_cost_per_token_above_272k_tokens: 5e-7,
    output_cost_per_token: 0,
    litellm_provider: "openai",
  },
});

const cases = everyCounters.flatMap(([counters, make]) => [
  [counters, "prices by hand", make, byHand] as const,
  [counters, "LiteLLM's price list", make, fromLiteLLM] as const,
]);

describe.each(cases)(
  "five prompts above 272k tokens against 0.45 USD (litellm PR 40002), %s, %s",
  (_counters, _prices, make, prices) => {
    it("are reserved at the tier's price: three pass and 0.45 USD is spent, not four and 0.60", async () => {
      const { gate } = world(limited({ key: { budget: { usd: 0.45, reset: "daily" } } }), {
        counters: make(),
        prices,
      });
      const call = { model: "long", inputTokens: 300_000, maxOutputTokens: 100 };
      const answers = await Promise.all(Array.from({ length: 5 }, () => gate.admit(KEY, call)));
      const admissions = answers.filter(({ admitted }) => admitted).map(passed);
      expect(admissions.map(({ reservation }) => reservation.costNanoUsd)).toEqual([0.15e9, 0.15e9, 0.15e9]);
      for (const { reservation } of admissions) {
        const { overdraft } = settled(
          await gate.settle(reservation, { inputTokens: 300_000, outputTokens: 80 }),
        );
        expect(overdraft).toEqual([]);
      }
      expect((await readingOf(gate, "cost")).usd).toEqual({ max: 0.45, used: 0.45, remaining: 0 });
    });

    it("of exactly 272k tokens are still at the base price", async () => {
      const { gate } = world(limited({ key: { budget: { usd: 0.45, reset: "daily" } } }), {
        counters: make(),
        prices,
      });
      const call = { model: "long", inputTokens: 272_000, maxOutputTokens: 0 };
      expect(passed(await gate.admit(KEY, call)).reservation.costNanoUsd).toBe(0.09792e9);
    });
  },
);
