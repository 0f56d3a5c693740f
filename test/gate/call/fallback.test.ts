import { expect, it } from "vitest";
import { createGate } from "../../../src/gate/gate.js";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { aChain, NOON, PRICES } from "../world.js";

it("a fallback is settled though the directory does not answer, against the limits that were charged", async () => {
  const clock = { at: NOON, now: () => clock.at };
  let isDown = false;
  const chain = aChain({
    org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } },
    key: { limits: { budget: { usd: 1, reset: "daily" } } },
  });
  const gate = createGate({
    clock,
    prices: PRICES,
    cache: { maxAgeMs: 1_000 },
    directory: {
      async key() {
        if (isDown) throw new Error("the directory is down");
        return chain;
      },
      principal: async () => undefined,
    },
  });
  const call = { model: "smart", inputTokens: 1_000, maxOutputTokens: 0 };
  const { reservation } = passed(await gate.admit({ keyId: "k1" }, call));
  isDown = true;
  clock.at += 2_000;
  settled(await gate.settle(reservation, { model: "gpt-4o", inputTokens: 1_000, outputTokens: 0 }));
  isDown = false;
  expect(await readingOf(gate, "cost")).toMatchObject({ usd: { used: 0.0025 } });
});
