import type { Limits } from "tollgate";
import { describe, expect, it } from "vitest";
import { aChain, limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

describe.each(everyCounters)("a refusal says which limit it was (litellm#14144), %s", (_, make) => {
  it.each([
    ["org", "o1"],
    ["project", "p1"],
    ["member", "u1"],
    ["key", "k1"],
  ] as const)("at the %s, by scope, id, used, max and need", async (scope, id) => {
    const wide: Limits = { budget: { usd: 500, reset: "monthly" } };
    const limits = { org: wide, project: wide, member: wide, key: wide };
    const { gate } = world(limited({ ...limits, [scope]: { budget: { usd: 2, reset: "monthly" } } }), {
      counters: make(),
    });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1.5 }));
    const refusal = refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.75 }));
    const parts = [scope, id, "monthly", "2 USD", "1.5 USD", "0.75 USD", "2026-06-01T00:00:00"];
    for (const part of parts) expect(refusal.message).toContain(part);
    expect(refusal.limit).toEqual({
      scope,
      scopeId: id,
      meter: "cost",
      max: 2e9,
      used: 1.5e9,
      remaining: 0.5e9,
      usd: { max: 2, used: 1.5, remaining: 0.5 },
      window: "monthly",
      resetsAt: Date.UTC(2026, 5, 1),
      mode: "enforce",
    });
    expect(refusal.limits.map((limit) => limit.scope)).toEqual(["org", "project", "member", "key"]);
  });

  it("of several budgets at one scope, by its period", async () => {
    const { gate } = world(
      limited({
        key: {
          budget: [
            { usd: 1, reset: "daily" },
            { usd: 3, reset: "weekly" },
            { usd: 9, reset: "never" },
          ],
        },
      }),
      { counters: make() },
    );
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    const refusal = refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    expect(refusal.message).toContain("daily");
    expect(refusal.limit?.window).toBe("daily");
    expect(refusal.limits.map(({ window }) => window)).toEqual(["daily", "weekly", "lifetime"]);
  });

  it("of one model, by that model", async () => {
    const { gate } = world(limited({ key: { perModel: { "gpt-4o": { rpm: 1 } } } }), { counters: make() });
    passed(await gate.admit(KEY, { model: "gpt-4o" }));
    const refusal = refusedBy(await gate.admit(KEY, { model: "gpt-4o" }));
    expect(refusal.message).toContain("gpt-4o");
    expect(refusal.limit?.perModel).toBe("gpt-4o");
  });

  it("of credits, as credits", async () => {
    const { gate } = world(aChain({ org: { creditsNanoUsd: 1e9 } }), { counters: make() });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.9 }));
    const refusal = refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.2 }));
    expect(refusal.reason).toBe("credits_exhausted");
    for (const part of ["credits", "org o1", "1 USD", "0.9 USD", "0.2 USD"]) {
      expect(refusal.message).toContain(part);
    }
  });

  it("in its JSON too, as a gateway sends it on", async () => {
    const { gate } = world(limited({ project: { rpm: 1 } }), { counters: make() });
    passed(await gate.admit(KEY, { model: "gpt-4o" }));
    const sent = JSON.parse(JSON.stringify(await gate.admit(KEY, { model: "gpt-4o" })));
    expect(sent).toMatchObject({
      admitted: false,
      reason: "rate_limited",
      scope: "project",
      limit: { scopeId: "p1", meter: "requests", used: 1, max: 1, window: "minute" },
      limits: [{ scopeId: "p1" }],
      retryAfterMs: 61_000,
    });
    expect(sent.message).toContain("project p1");
  });
});
