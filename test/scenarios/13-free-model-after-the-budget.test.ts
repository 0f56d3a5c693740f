import { describe, expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, refusedBy, settled } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)("a spent budget (litellm#10973), %s", (_, make) => {
  it("stops paid models and no free one, also when it is overdrawn, and at every scope", async () => {
    const limits = {
      budget: [
        { usd: 1, reset: "monthly" as const },
        { usd: 1, reset: "never" as const },
      ],
    };
    const { gate } = world(
      aChain({
        org: { limits, creditsNanoUsd: 1e9 },
        project: { limits },
        holder: { limits },
        key: { limits },
      }),
      { counters: make() },
    );
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    settled(await gate.settle(reservation, { costUsd: 1.25 }));

    const paid = { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 1 };
    expect(refusedBy(await gate.admit(KEY, paid)).reason).toBe("budget_exceeded");
    passed(await gate.admit(KEY, { ...paid, model: "free" }));
    passed(await gate.admit(KEY, { ...paid, costUsd: 0 }));
    passed(await gate.admit(KEY, { ...paid, byok: true }));
    passed(await gate.admit(KEY, { mcpServer: "github" }));
  });

  it("of zero dollars likewise", async () => {
    const { gate } = world(aChain({ key: { limits: { budget: { usd: 0, reset: "monthly" } } } }), {
      counters: make(),
    });
    passed(await gate.admit(KEY, { model: "free", inputTokens: 5 }));
    refusedBy(await gate.admit(KEY, { model: "gpt-4o", inputTokens: 5 }));
  });
});
