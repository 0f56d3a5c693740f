import { createLedger, type KeyChain, memoryCounters, memoryLedgerSink, type Usage } from "tollgate";
import { describe, expect, it } from "vitest";
import { passed, readingOf } from "../scenarios/answers.js";
import { aChain, limited, NOON, world } from "./world.js";

const KEY = { keyId: "k1" };
const BUDGET = { budget: { usd: 1, reset: "monthly" as const } };

/** A gate with a ledger; `loseCounters` makes another over the same ledger, its counters empty. */
function accounting(chain: KeyChain | readonly KeyChain[]) {
  const sink = memoryLedgerSink();
  const clock = { at: NOON, now: () => clock.at };
  const open = () => {
    const ledger = createLedger({ sink, clock });
    return { ...world(chain, { ledger, clock, unpriced: "free" }), ledger };
  };
  const spend = async (
    { gate, ledger }: ReturnType<typeof open>,
    costUsd: number,
    usage: Partial<Usage> = {},
  ) => {
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd, ...usage }));
    await gate.settle(reservation, { costUsd });
    await ledger.flush();
  };
  return { sink, clock, open, spend };
}

const ORG = { orgId: "o1" };

describe("reconcile", () => {
  it("finds nothing where every call is in both, at every scope", async () => {
    const { open, spend } = accounting(
      limited({ org: BUDGET, project: BUDGET, member: BUDGET, key: BUDGET }),
    );
    const one = open();
    await spend(one, 0.1);
    await spend(one, 0.2);
    const { reservation } = passed(await one.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.3 }));
    await one.gate.release(reservation);
    expect(await one.gate.reconcile(ORG)).toEqual({ at: NOON, budgets: 4, differences: [], unended: [] });
  });

  it("names calls that are under way, and they explain themselves", async () => {
    const { open } = accounting(limited({ key: BUDGET }));
    const { gate } = open();
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.3 }));
    expect(await gate.reconcile(ORG)).toMatchObject({
      differences: [],
      unended: [{ id: reservation.id, keyId: "k1", model: "gpt-4o", expired: false, costNanoUsd: 0.3e9 }],
    });
  });

  it("names every call of a key that is under way, not only its first", async () => {
    const { open } = accounting(limited({ key: BUDGET }));
    const { gate } = open();
    const admit = async () => passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 })).reservation.id;
    const ids = [await admit(), await admit(), await admit()];
    const { differences, unended } = await gate.reconcile(ORG);
    expect(unended.map(({ id }) => id)).toEqual(ids);
    expect(differences).toEqual([]);
  });

  it("agrees with the counters about a call that nobody settled", async () => {
    const { open, clock } = accounting(limited({ key: BUDGET }));
    const { gate } = open();
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.3 }));
    clock.at += 3_600_000;
    expect(await gate.reconcile(ORG)).toMatchObject({ differences: [], unended: [{ expired: true }] });
  });

  it("names each budget whose counts were lost, and leaves them unless it is told to rebuild", async () => {
    const { open, spend } = accounting(limited({ org: BUDGET, key: BUDGET }));
    await spend(open(), 0.4);
    const { gate } = open();
    const { differences } = await gate.reconcile(ORG);
    expect(differences).toMatchObject([
      { limit: { scope: "org" }, countersNanoUsd: 0, ledgerNanoUsd: 0.4e9, differenceNanoUsd: -0.4e9 },
      { limit: { scope: "key" }, countersNanoUsd: 0, ledgerNanoUsd: 0.4e9, rebuiltNanoUsd: 0 },
    ]);
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("rebuilds lost counts, over the max where so much was spent, and then finds nothing", async () => {
    const { open, spend } = accounting(limited({ org: BUDGET, key: { budget: { usd: 1, reset: "never" } } }));
    const before = open();
    await spend(before, 0.9);
    const { reservation } = passed(await before.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    await before.gate.settle(reservation, { costUsd: 0.7 });
    await before.gate.reconcile(ORG); // writes what is pending
    const { gate } = open();
    const { differences } = await gate.reconcile({ ...ORG, rebuild: true });
    expect(differences.map(({ rebuiltNanoUsd }) => rebuiltNanoUsd)).toEqual([1.6e9, 1.6e9]);
    expect((await readingOf(gate, "cost")).usd).toEqual({ max: 1, used: 1.6, remaining: 0 });
    expect((await readingOf(gate, "cost", "org")).usd?.used).toBe(1.6);
    expect((await gate.reconcile(ORG)).differences).toEqual([]);
  });

  it("never lowers what the counters hold", async () => {
    const { open, spend, sink } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.1);
    const fresh = world(limited({ key: BUDGET }), { ledger: createLedger({ sink }) });
    const { reservation } = passed(await fresh.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    await fresh.gate.reconcile({ ...ORG, rebuild: true });
    expect((await readingOf(fresh.gate, "cost")).usd?.used).toBe(0.5);
    await fresh.gate.release(reservation);
  });

  it("gives a budget that begins anew, from monthly to daily, what was spent today", async () => {
    const { open, spend, clock, sink } = accounting(limited({ key: BUDGET }));
    const one = open();
    const { gate, put } = one;
    await spend(one, 0.2);
    clock.at += 86_400_000;
    await spend(one, 0.3);
    const daily = limited({ key: { budget: { usd: 1, reset: "daily" } } });
    put(daily);
    clock.at += 30_001; // the chain is no longer cached
    expect(await readingOf(gate, "cost")).toMatchObject({ window: "daily", used: 0 });
    const { differences } = await gate.reconcile({ ...ORG, keyIds: ["k1"], rebuild: true });
    expect(differences).toMatchObject([{ limit: { window: "daily" }, rebuiltNanoUsd: 0.3e9 }]);
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.3e9 });
    expect(sink.events()).toHaveLength(2);
  });

  it("adds nothing twice where two processes rebuild at once", async () => {
    const { open, spend, sink, clock } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.4);
    const counters = memoryCounters();
    const gates = [1, 2].map(() => {
      const ledger = createLedger({ sink, clock });
      return world(limited({ key: BUDGET }), { ledger, clock, counters }).gate;
    });
    const found = await Promise.all(gates.map((gate) => gate.reconcile({ ...ORG, rebuild: true })));
    const raised = found.flatMap(({ differences }) =>
      differences.map(({ rebuiltNanoUsd }) => rebuiltNanoUsd),
    );
    expect(raised.toSorted()).toEqual([0, 0.4e9]);
  });

  it("counts for a budget what the gate counted for it: by model, by alias, by key, on whose provider key", async () => {
    const perModel = { "gpt-4o": BUDGET, smart: BUDGET, "other/*": BUDGET };
    const chain = aChain({
      org: { virtualModels: { smart: ["gpt-4o", "other/x"] }, limits: { perModel } },
      project: { limits: { budget: { usd: 1, reset: "monthly", countByok: true } } },
      key: { limits: BUDGET },
    });
    const { open, spend } = accounting(chain);
    const before = open();
    const { gate } = before;
    await spend(before, 0.01);
    await spend(before, 0.02, { byok: true });
    await spend(before, 0.04, { model: "smart" });
    const fallback = passed(await gate.admit(KEY, { model: "smart", costUsd: 0.08 }));
    await gate.settle(fallback.reservation, { model: "other/x", costUsd: 0.08 });
    const snapshot = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.16 }));
    await gate.settle(snapshot.reservation, { model: "gpt-4o-2026-01-01", costUsd: 0.16 });
    const { mcpServer } = { mcpServer: "gpt-4o" }; // a server may be called like a model
    const tool = passed(await gate.admit(KEY, { mcpServer, costUsd: 0.32 }));
    await gate.settle(tool.reservation, {});
    const { differences, budgets } = await gate.reconcile(ORG);
    expect([differences, budgets]).toEqual([[], 5]);
  });

  it("asks for a ledger that can be read, and for a key that there is", async () => {
    const without = world().gate;
    await expect(without.reconcile(ORG)).rejects.toThrow("options.ledger: a ledger to compare with");
    const writing = world(aChain(), { ledger: createLedger({ sink: async () => {} }) }).gate;
    await expect(writing.reconcile(ORG)).rejects.toThrow("options.sink: a sink that can be read");
    const { gate } = accounting(aChain()).open();
    await expect(gate.reconcile({ ...ORG, keyIds: ["k9"] })).rejects.toThrow("k9");
  });
});
