import type { GateOptions } from "tollgate";
import { describe, expect, it } from "vitest";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy } from "./answers.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const CALL = { model: "brand-new", inputTokens: 1_000, maxOutputTokens: 1_000 };

describe.each(everyCounters)(
  "a model whose price is not known, under a budget (litellm#35524), %s",
  (_, make) => {
    const budgeted = (unpriced?: GateOptions["unpriced"]) =>
      world(limited({ key: { budget: { usd: 0.1, reset: "monthly" } } }), { counters: make(), unpriced });

    it("is refused by default, and not let through uncharged", async () => {
      const { gate } = budgeted();
      expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("model_unpriced");
      expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    });

    it("is charged the flat amount that the gate was told, until the budget is spent", async () => {
      const { gate } = budgeted({ usd: "0.04" });
      for (const used of [0.04, 0.08]) {
        const { reservation } = passed(await gate.admit(KEY, CALL));
        await gate.settle(reservation, { inputTokens: 900, outputTokens: 20 });
        expect((await readingOf(gate, "cost")).usd?.used).toBe(used);
      }
      expect(refusedBy(await gate.admit(KEY, CALL)).reason).toBe("budget_exceeded");
    });

    it("passes free of charge only where the gate was told so", async () => {
      const { gate } = budgeted("free");
      const { reservation } = passed(await gate.admit(KEY, CALL));
      await gate.settle(reservation, { inputTokens: 900, outputTokens: 20 });
      expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    });

    it.each(["deny", "free", { usd: "0.04" }] as const)(
      "keeps the cost that the caller named when the settle is silent about it, and unpriced is %j",
      async (unpriced) => {
        const { gate } = budgeted(unpriced);
        const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.07 }));
        await gate.settle(reservation, { inputTokens: 900, outputTokens: 20 });
        expect((await readingOf(gate, "cost")).usd?.used).toBe(0.07);
      },
    );

    it("passes where no budget applies to it", async () => {
      for (const unpriced of ["deny", "free", { usd: 2 }] as const) {
        const { gate } = world(limited({ key: { rpm: 5 } }), { counters: make(), unpriced });
        expect(passed(await gate.admit(KEY, CALL)).reservation.costNanoUsd).toBe(0);
      }
    });

    it("is left out of the targets of a virtual model, of which the priced ones remain", async () => {
      const chain = limited({ key: { budget: { usd: 0.1, reset: "monthly" } } });
      const org = { ...chain.org, virtualModels: { smart: ["brand-new", "gpt-4o-mini"] } };
      const { gate } = world({ ...chain, org }, { counters: make() });
      expect(passed(await gate.admit(KEY, { ...CALL, model: "smart" })).models).toEqual(["gpt-4o-mini"]);
    });

    it("costs the same flat amount where it answers as a fallback, and another name of a model that model's price", async () => {
      const chain = limited({ key: { budget: { usd: 9, reset: "monthly" } } });
      const org = { ...chain.org, virtualModels: { smart: ["gpt-4o-mini", "brand-new"] } };
      const { gate } = world({ ...chain, org }, { counters: make(), unpriced: { usd: 2 } });
      for (const [model, used] of [
        ["brand-new", 2],
        ["gpt-4o-mini-2026-05-15", 2.000_75],
      ] as const) {
        const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
        await gate.settle(reservation, { model, inputTokens: 1_000, outputTokens: 1_000 });
        expect((await readingOf(gate, "cost")).usd?.used).toBe(used);
      }
    });

    it("is charged what it costs where it is the first target, not what its dear fallback would", async () => {
      const chain = limited({ key: { budget: { usd: 9, reset: "monthly" } } });
      const org = { ...chain.org, virtualModels: { smart: ["brand-new", "gpt-4o"] } };
      const { gate } = world({ ...chain, org }, { counters: make(), unpriced: "free" });
      const call = { model: "smart", inputTokens: 100_000, maxOutputTokens: 100_000 };
      for (const model of [undefined, "brand-new"]) {
        const { reservation } = passed(await gate.admit(KEY, call));
        expect((await readingOf(gate, "cost")).usd?.used).toBe(1.25);
        passed(await gate.extend(reservation, { maxOutputTokens: 100_000 }));
        expect((await readingOf(gate, "cost")).usd?.used).toBe(2.25);
        await gate.settle(reservation, { model, inputTokens: 1_000, outputTokens: 1_000 });
        expect((await readingOf(gate, "cost")).usd?.used).toBe(0);
      }
    });

    it("gets no more tokens by an extension, unless somebody says what they cost", async () => {
      const { gate } = budgeted();
      const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.01 }));
      const more = { maxOutputTokens: 1_000_000 };
      expect(refusedBy(await gate.extend(reservation, more)).reason).toBe("model_unpriced");
      expect((await readingOf(gate, "cost")).usd?.used).toBe(0.01);
      passed(await gate.extend(reservation, { ...more, costUsd: 0.02 }));
      expect((await readingOf(gate, "cost")).usd?.used).toBe(0.03);
    });
  },
);
