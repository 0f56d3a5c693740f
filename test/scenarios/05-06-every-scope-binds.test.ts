import type { Limits } from "tollgate";
import { describe, expect, it } from "vitest";
import { aChain, limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const SCOPES = ["org", "project", "member", "key"] as const;

const budgetOf = (usd: number): Limits => ({ budget: { usd, reset: "monthly" } });

describe.each(everyCounters)("a budget at one scope beside wider ones at the others, %s", (_, make) => {
  it.each(SCOPES)(
    "of 30 USD at the %s stops a key that has 100 of its own, before it has spent 99.10 (litellm#26672)",
    async (tight) => {
      const limits = Object.fromEntries(SCOPES.map((scope) => [scope, budgetOf(scope === tight ? 30 : 100)]));
      const { gate } = world(limited(limits), { counters: make() });
      const call = { model: "gpt-4o", costUsd: 9.91 };
      const answers = await Promise.all(Array.from({ length: 10 }, () => gate.admit({ keyId: "k1" }, call)));
      expect(answers.filter(({ admitted }) => admitted)).toHaveLength(3);
      const [refusal] = answers.filter(({ admitted }) => !admitted).map(refusedBy);
      expect(refusal).toMatchObject({ reason: "budget_exceeded", scope: tight });
      expect(refusal?.limit).toMatchObject({ scope: tight, usd: { max: 30, used: 29.73 } });
      for (const scope of SCOPES) {
        expect((await readingOf(gate, "cost", scope)).usd?.used, scope).toBe(29.73);
      }
    },
  );

  it("of a member binds over all keys the member has in the project, and over nobody else's (litellm#11962)", async () => {
    const holder = { limits: budgetOf(1) };
    const { gate } = world(
      [
        aChain({ holder, key: { id: "k1" } }),
        aChain({ holder, key: { id: "k2" } }),
        aChain({ holder: { userId: "u2", limits: budgetOf(1) }, key: { id: "k3" } }),
      ],
      { counters: make() },
    );
    const call = { model: "gpt-4o", costUsd: 0.6 };
    const [one, other, stranger] = await Promise.all(
      ["k1", "k2", "k3"].map((keyId) => gate.admit({ keyId }, call)),
    );
    if (!one || !other || !stranger) throw new Error("three answers");
    expect([one, other].filter(({ admitted }) => admitted)).toHaveLength(1);
    const refusal = refusedBy(one.admitted ? other : one);
    expect(refusal).toMatchObject({ reason: "budget_exceeded", scope: "member" });
    expect(refusal.limit?.scopeId).toBe("u1");
    passed(stranger);
  });

  it("of a member in one project says nothing about the same person in another", async () => {
    const holder = { limits: budgetOf(1) };
    const { gate } = world(
      [aChain({ holder, key: { id: "k1" } }), aChain({ project: { id: "p2" }, holder, key: { id: "k2" } })],
      { counters: make() },
    );
    passed(await gate.admit({ keyId: "k1" }, { model: "gpt-4o", costUsd: 1 }));
    passed(await gate.admit({ keyId: "k2" }, { model: "gpt-4o", costUsd: 1 }));
  });
});
