import {
  CountersUnavailableError,
  createGate,
  createLedger,
  type Gate,
  type KeyChain,
  LedgerUnavailableError,
  memoryCounters,
  memoryLedgerSink,
  NotFoundError,
  type Usage,
} from "tollgate";
import { describe, expect, it } from "vitest";
import type { Counters, ReadQuery } from "../../../src/counters/counters.js";
import { passed, readingOf } from "../../scenarios/answers.js";
import { aChain, elsewhere, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const BUDGET = { budget: { usd: 1, reset: "monthly" as const } };

/** A gate with a ledger; `loseCounters` makes another over the same ledger, its counters empty. */
function accounting(chain: KeyChain | readonly KeyChain[]) {
  const sink = memoryLedgerSink();
  const clock = { at: NOON, now: () => clock.at };
  const open = () => {
    const ledger = createLedger({ sink, clock });
    const counters = memoryCounters();
    return { ...world(chain, { ledger, clock, counters, unpriced: "free" }), ledger, counters };
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

  it("compares budgets and no other limits", async () => {
    const rates = { rpm: 10, tpm: 100_000, inFlight: 5, perModel: { "gpt-4o": { rpd: 10 } } };
    const { open, spend } = accounting(limited({ key: { ...BUDGET, ...rates } }));
    const one = open();
    await spend(one, 0.1, { inputTokens: 10, maxOutputTokens: 10 });
    expect(await one.gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
  });

  it("tells in which project the member is whose budget differs", async () => {
    const { open, spend } = accounting(
      limited({ org: BUDGET, project: BUDGET, member: BUDGET, key: BUDGET }),
    );
    await spend(open(), 0.1);
    const { differences } = await open().gate.reconcile(ORG);
    const projects = differences.map(({ limit, projectId }) => [limit.scope, projectId]);
    expect(Object.fromEntries(projects)).toEqual({
      ...{ org: undefined, project: undefined, key: undefined },
      member: "p1",
    });
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
    const { open, spend, clock } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.1);
    const { gate, counters } = open();
    const unrecorded = world(limited({ key: BUDGET }), { clock, counters, unpriced: "free" }).gate;
    const { reservation } = passed(await unrecorded.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    await unrecorded.settle(reservation, { costUsd: 0.5 });
    const { differences } = await gate.reconcile({ ...ORG, rebuild: true });
    expect(differences).toMatchObject([{ differenceNanoUsd: 0.4e9, rebuiltNanoUsd: 0 }]);
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.5);
  });

  it("gives lost counts back while calls are under way, exactly, whatever these come to", async () => {
    const { open, spend } = accounting(
      limited({ org: BUDGET, key: { budget: { usd: 100, reset: "never" } } }),
    );
    const before = open();
    await spend(before, 0.1);
    const lost = passed(await before.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.2 })); // at the loss
    await before.ledger.flush();
    const { gate } = open();
    const admit = async () => passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.05 })).reservation;
    const [one, two] = [await admit(), await admit()];
    const extended = passed(await gate.extend(two, { costUsd: 0.03 })).reservation;
    const { differences } = await gate.reconcile({ ...ORG, rebuild: true });
    expect(differences.map(({ rebuiltNanoUsd }) => rebuiltNanoUsd)).toEqual([0.1e9, 0.1e9]);
    const used = async () => [
      (await readingOf(gate, "cost")).usd?.used,
      (await readingOf(gate, "cost", "org")).usd?.used,
    ];
    expect(await used()).toEqual([0.23, 0.23]);
    await gate.settle(one, { costUsd: 0.01 });
    await gate.release(extended);
    expect(await used()).toEqual([0.11, 0.11]);
    // Nobody knows what the call came to that was under way at the loss: its counters are gone.
    expect(await gate.settle(lost.reservation, { costUsd: 0.15 })).toMatchObject({ settled: false });
  });

  it("adds too little and never too much where calls are admitted, or settled, while the ledger is read", async () => {
    for (const doing of ["admits", "settles"] as const) {
      const { sink, open, spend } = accounting(limited({ key: { budget: { usd: 100, reset: "monthly" } } }));
      await spend(open(), 2);
      const two = open(); // its counts are lost
      const call = { model: "gpt-4o", costUsd: 3 };
      const early = passed(await two.gate.admit(KEY, call)).reservation;
      await two.ledger.flush();
      const read = sink.open.bind(sink);
      let truth = 2 + 3;
      let reads = 0;
      const racing = {
        ...sink,
        async open(query: Parameters<typeof read>[0]) {
          if (++reads !== 2) return read(query); // the first is for what is told, the second for what is added
          if (doing === "settles") {
            const found = await read(query);
            await two.gate.settle(early, { costUsd: 1 });
            truth = 2 + 1;
            return found;
          }
          passed(await two.gate.admit(KEY, call));
          truth = 2 + 3 + 3;
          await two.ledger.flush();
          return read(query);
        },
      };
      const ledger = createLedger({ sink: racing, clock: two.clock });
      const { gate } = world(limited({ key: { budget: { usd: 100, reset: "monthly" } } }), {
        ledger,
        clock: two.clock,
        counters: two.counters,
        unpriced: "free",
      });
      await gate.reconcile({ ...ORG, rebuild: true });
      expect(reads).toBe(2);
      expect((await readingOf(gate, "cost")).usd?.used).toBeLessThanOrEqual(truth);
    }
  });

  it("may rebuild twice in a moment", async () => {
    const { open, spend } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.1);
    const { gate } = open();
    await gate.reconcile({ ...ORG, rebuild: true });
    await spend(open(), 0.2); // in counters that are lost as well
    const { differences } = await gate.reconcile({ ...ORG, rebuild: true });
    expect(differences).toMatchObject([{ rebuiltNanoUsd: 0.2e9 }]);
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.3);
  });

  describe("after an outage that a process counted by itself", () => {
    /** A gate over counters that can be down, and what a look at the store says. */
    function withOutages(chain = limited({ key: { budget: { usd: 100, reset: "monthly" } } })) {
      const down = new Set<string>();
      const behind = memoryCounters();
      const counters = elsewhere((orgId) => {
        if (down.has(orgId)) throw new Error("ECONNREFUSED");
      }, behind);
      const sink = memoryLedgerSink();
      const clock = { at: NOON, now: () => clock.at };
      const open = (over = sink) => {
        const ledger = createLedger({ sink: over, clock });
        const local = { onCountersDown: "local", localShare: 1 } as const;
        const chains = [
          chain,
          aChain({ org: { id: "o2" }, project: { id: "p2" }, key: { id: "k2", limits: BUDGET } }),
        ];
        return { ...world(chains, { ledger, clock, counters, unpriced: "free", ...local }), ledger };
      };
      const spend = async (gate: Gate, costUsd: number, key = KEY) => {
        const { reservation } = passed(await gate.admit(key, { model: "gpt-4o", costUsd }));
        await gate.settle(reservation, { costUsd });
      };
      const store = world(chain, { counters: behind, clock }).gate;
      const used = async () => (await readingOf(store, "cost")).usd?.used;
      return { open, spend, used, sink, down };
    }

    it("gives the counters what is theirs before it compares, so that no call is charged twice", async () => {
      const { open, spend, used, down } = withOutages();
      const { gate } = open();
      down.add("o1");
      await spend(gate, 10);
      passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 5 })); // under way
      down.clear();
      expect((await gate.reconcile({ ...ORG, rebuild: true })).differences).toEqual([]);
      await spend(gate, 1);
      expect(await used()).toBe(16);
    });

    it("gives it after it has read the ledger: a call that is counted here meanwhile is in both or in the counters alone", async () => {
      const { open, spend, used, sink, down } = withOutages();
      let spent: Promise<void> | undefined;
      const racing = {
        ...sink,
        async sum(query: Parameters<typeof sink.sum>[0]) {
          spent ??= outage();
          await spent;
          return sink.sum(query);
        },
      };
      const { gate, ledger } = open(racing);
      const outage = async () => {
        down.add("o1");
        await spend(gate, 10);
        await ledger.flush();
        down.clear();
      };
      expect((await gate.reconcile({ ...ORG, rebuild: true })).differences).toEqual([]);
      await spend(gate, 1);
      expect(await used()).toBe(11);
    });

    it("rejects where the counters do not take it, but for what is of another org", async () => {
      const { open, spend, used, down } = withOutages();
      const { gate } = open();
      down.add("o1").add("o2");
      await spend(gate, 10);
      await spend(gate, 1, { keyId: "k2" });
      await expect(gate.reconcile({ ...ORG, rebuild: true })).rejects.toThrow(CountersUnavailableError);
      down.delete("o1");
      expect((await gate.reconcile({ ...ORG, rebuild: true })).differences).toEqual([]);
      expect(await used()).toBe(10);
    });
  });

  it("does not add the estimate of a call whose end the ledger has lost to counts that hold what it came to", async () => {
    const { open, spend, sink, clock } = accounting(limited({ key: BUDGET }));
    const killed = open();
    await spend(killed, 0.1);
    const { reservation } = passed(await killed.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    await killed.ledger.flush();
    await killed.gate.settle(reservation, { costUsd: 0.2 }); // and it is killed before this is written
    const { counters } = killed;
    const ledger = createLedger({ sink, clock });
    const { gate } = world(limited({ key: BUDGET }), { ledger, clock, counters });
    const { differences } = await gate.reconcile({ ...ORG, rebuild: true });
    expect(differences).toMatchObject([{ differenceNanoUsd: -0.3e9, expiredNanoUsd: 0, rebuiltNanoUsd: 0 }]);
    clock.at += 3_600_000;
    const later = await gate.reconcile({ ...ORG, rebuild: true });
    expect(later.unended).toMatchObject([{ id: reservation.id, expired: true }]);
    expect(later.differences).toMatchObject([
      { countersNanoUsd: 0.3e9, ledgerNanoUsd: 0.6e9, expiredNanoUsd: 0.5e9, rebuiltNanoUsd: 0 },
    ]);
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.3);
    // Unless it is asked to.
    const whole = await gate.reconcile({ ...ORG, rebuild: true, withExpired: true });
    expect(whole.differences).toMatchObject([{ rebuiltNanoUsd: 0.3e9 }]);
  });

  it("brings back what a part of the counts has lost, which what they hold of expired calls hides unless those are added", async () => {
    const { open, spend, clock } = accounting(limited({ key: BUDGET }));
    const one = open();
    passed(await one.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    clock.at += 3_600_000;
    await spend(one, 0.1);
    await spend(open(), 0.3); // by counters that are gone
    const rebuild = async (withExpired: boolean) => {
      await one.gate.reconcile({ ...ORG, rebuild: true, withExpired });
      return (await readingOf(one.gate, "cost")).usd?.used;
    };
    expect(await rebuild(false)).toBe(0.6);
    expect(await rebuild(true)).toBe(0.9);
  });

  it("compares also where more calls are under way than it names", async () => {
    const { open } = accounting(limited({ key: { budget: { usd: 1_000, reset: "monthly" } } }));
    const { gate } = open();
    for (let i = 0; i < 10_050; i++) await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.01 });
    const { differences, unended } = await gate.reconcile(ORG);
    expect([differences, unended.length]).toEqual([[], 10_000]);
  });

  it("asks the counters about the budgets of many keys step by step, as they answer each within their time-out", async () => {
    const chains = Array.from({ length: 1_001 }, (_, i) => aChain({ key: { id: `k${i}`, limits: BUDGET } }));
    const sink = memoryLedgerSink();
    const store = elsewhere();
    const asked: number[] = [];
    const counters = {
      ...store,
      read: (query: ReadQuery) => {
        asked.push(query.charges.length);
        return store.read(query);
      },
    };
    const { gate } = world(chains, { counters, ledger: createLedger({ sink }), unpriced: "free" });
    for (const keyId of ["k0", "k499", "k500", "k1000"]) {
      const { reservation } = passed(await gate.admit({ keyId }, { model: "gpt-4o", costUsd: 0.1 }));
      await gate.settle(reservation, {});
    }
    const keyIds = chains.map(({ key }) => key.id);
    expect(await gate.reconcile({ ...ORG, keyIds })).toMatchObject({ budgets: 1_001, differences: [] });
    expect(asked).toEqual([500, 500, 1]);
  });

  it("names calls that are under way where there is no budget, and those from before the period of any", async () => {
    const { open, clock } = accounting([
      aChain(),
      aChain({ key: { id: "k2", limits: { budget: { usd: 1, reset: "daily" } } } }),
    ]);
    const { gate } = open();
    clock.at += 12 * 3_600_000 - 60_000; // a minute before midnight
    const ids: string[] = [];
    for (const keyId of ["k1", "k2"]) {
      ids.push(passed(await gate.admit({ keyId }, { model: "gpt-4o", costUsd: 0.1 })).reservation.id);
    }
    clock.at += 120_000;
    const namedFor = async (keyIds?: string[]) =>
      (await gate.reconcile({ ...ORG, keyIds })).unended.map(({ id }) => id);
    expect(await namedFor(["k1"])).toEqual(ids.slice(0, 1));
    expect(await namedFor(["k2"])).toEqual(ids.slice(1));
    expect(await namedFor([])).toEqual([]);
    expect((await namedFor()).toSorted()).toEqual(ids.toSorted());
  });

  it("rejects where what is pending cannot be written", async () => {
    const sink = { ...memoryLedgerSink(), write: () => Promise.reject(new Error("down")) };
    const { gate } = world(limited({ key: BUDGET }), { ledger: createLedger({ sink, closeTimeoutMs: 20 }) });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    await expect(gate.reconcile(ORG)).rejects.toThrow(LedgerUnavailableError);
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

  it("raises nothing while another process rebuilds, be that slow", async () => {
    const { open, spend, sink, clock } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.4);
    const counters = memoryCounters();
    const over = (own: typeof sink) => {
      const ledger = createLedger({ sink: own, clock });
      return world(limited({ key: BUDGET }), { ledger, clock, counters }).gate;
    };
    let reads = 0;
    const raised = async (gate: Gate) =>
      (await gate.reconcile({ ...ORG, rebuild: true })).differences.map((one) => one.rebuiltNanoUsd);
    const slow = over({
      ...sink,
      async open(query) {
        if (++reads === 2) {
          clock.at += 30_000;
          expect(await raised(over(sink))).toEqual([0]);
        }
        return sink.open(query);
      },
    });
    expect(await raised(slow)).toEqual([0.4e9]);
    expect(reads).toBe(2);
  });

  it("rebuilds a minute after a process that died over it", async () => {
    const { open, spend, sink, clock } = accounting(limited({ key: BUDGET }));
    await spend(open(), 0.4);
    const counters = memoryCounters();
    const over = (own: typeof sink) => {
      const ledger = createLedger({ sink: own, clock });
      return world(limited({ key: BUDGET }), { ledger, clock, counters }).gate;
    };
    let reads = 0;
    await new Promise<void>((died) => {
      const dying = {
        ...sink,
        open: (query: Parameters<typeof sink.open>[0]) => (++reads === 2 ? stop() : sink.open(query)),
      };
      const stop = () => {
        died();
        return new Promise<never>(() => {});
      };
      over(dying).reconcile({ ...ORG, rebuild: true });
    });
    const raised = async () =>
      (await over(sink).reconcile({ ...ORG, rebuild: true })).differences.map((one) => one.rebuiltNanoUsd);
    clock.at += 59_999;
    expect(await raised()).toEqual([0]);
    clock.at += 1;
    expect(await raised()).toEqual([0.4e9]);
  });

  it("asks the counters about 32 calls under way at a time, and about all of them", async () => {
    const { open, sink, clock } = accounting(limited({ key: BUDGET }));
    const before = open();
    for (let i = 0; i < 40; i++) passed(await before.gate.admit(KEY, { model: "gpt-4o", costUsd: 0.01 }));
    await before.ledger.flush();
    const store = elsewhere();
    const asked = { now: 0, most: 0, all: 0 };
    const counters: Counters = {
      ...store,
      async reserve(request) {
        if (request.extend === true) {
          asked.all++;
          asked.most = Math.max(asked.most, ++asked.now);
          await new Promise((resolve) => setImmediate(resolve));
          asked.now--;
        }
        return store.reserve(request);
      },
    };
    const { gate } = world(limited({ key: BUDGET }), {
      ledger: createLedger({ sink, clock }),
      clock,
      counters,
    });
    await gate.reconcile({ ...ORG, rebuild: true });
    expect(asked).toEqual({ now: 0, most: 32, all: 40 });
  });

  it("counts for a budget what the gate counted for it: by model, by alias, by key, on whose provider key", async () => {
    const perModel = { "gpt-4o": BUDGET, "gpt-4o-2026-01-01": BUDGET, smart: BUDGET, "other/*": BUDGET };
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
    const dated = passed(await gate.admit(KEY, { model: "smart", costUsd: 0.001 }));
    await gate.settle(dated.reservation, { model: "gpt-4o-2026-01-01", costUsd: 0.001 });
    const other = passed(await gate.admit(KEY, { model: "smart", costUsd: 0.002 }));
    await gate.settle(other.reservation, { model: "answered/by-another", costUsd: 0.002 });
    const snapshot = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.16 }));
    await gate.settle(snapshot.reservation, { model: "gpt-4o-2026-01-01", costUsd: 0.16 });
    const { mcpServer } = { mcpServer: "gpt-4o" }; // a server may be called like a model
    const tool = passed(await gate.admit(KEY, { mcpServer, costUsd: 0.32 }));
    await gate.settle(tool.reservation, {});
    const { differences, budgets } = await gate.reconcile(ORG);
    expect([differences, budgets]).toEqual([[], 6]);
  });

  it("counts for a budget of a model whose name may be a token what the ledger has masked", async () => {
    const model = `tuned/${"a1".repeat(24)}`;
    const chain = aChain({
      org: { limits: { perModel: { [model]: BUDGET, [`tuned/${"b2".repeat(24)}`]: BUDGET } } },
    });
    const { open, spend } = accounting(chain);
    const before = open();
    await spend(before, 0.01, { model });
    const { differences, budgets } = await before.gate.reconcile(ORG);
    expect([differences, budgets]).toEqual([[], 2]);
  });

  it("asks for a ledger that can be read, and for a key that there is", async () => {
    const without = world().gate;
    await expect(without.reconcile(ORG)).rejects.toThrow("options.ledger: a ledger to compare with");
    const writing = world(aChain(), { ledger: createLedger({ sink: async () => {} }) }).gate;
    await expect(writing.reconcile(ORG)).rejects.toThrow("options.sink: a sink that can be read");
    const { gate } = accounting(aChain()).open();
    await expect(gate.reconcile({ ...ORG, keyIds: ["k9"] })).rejects.toThrow("k9");
  });

  it("does not find a key of another org", async () => {
    const theirs = aChain({ org: { id: "o2" }, key: { id: "k2", limits: BUDGET } });
    const { gate } = accounting([aChain(), theirs]).open();
    await expect(gate.reconcile({ ...ORG, keyIds: ["k2"] })).rejects.toThrow(NotFoundError);
  });

  it("compares credit with all that was spent where no storage tells when it was granted", async () => {
    const { open, spend } = accounting(aChain({ org: { creditsNanoUsd: 5e9 } }));
    const one = open();
    await spend(one, 0.1);
    expect(await one.gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
  });
});

it("the budget of a key without calls is compared", async () => {
  const clock = { now: () => NOON };
  const gate = createGate({ clock, ledger: createLedger({ sink: memoryLedgerSink(), clock }) });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "o1", name: "Acme" });
  await olga.projects.create({ orgId: "o1", id: "p1", name: "Web" });
  await olga.keys.create({ orgId: "o1", projectId: "p1", limits: BUDGET });
  expect(await gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
});

it("credit is compared with what was spent since its first grant, a lifetime budget with what was before as well", async () => {
  const clock = { at: NOON, now: () => clock.at };
  const ledger = createLedger({ sink: memoryLedgerSink(), clock });
  const gate = createGate({ ledger, clock });
  const olga = gate.as({ userId: "olga" });
  await olga.orgs.create({ id: "o1", name: "Acme" });
  await olga.projects.create({ orgId: "o1", id: "p1", name: "Web" });
  const limits = { budget: { usd: 9, reset: "never" as const } };
  const { token } = await olga.keys.create({ orgId: "o1", projectId: "p1", limits });
  const spend = async (costUsd: number) => {
    const { reservation } = passed(await gate.admit(token, { model: "gpt-4o", costUsd }));
    await gate.settle(reservation, { costUsd });
    clock.at += 1_000;
  };
  await spend(2);
  await olga.credits.grant({ orgId: "o1", usd: 3 });
  await spend(1);
  expect(await gate.reconcile({ orgId: "o1", rebuild: true })).toMatchObject({ budgets: 2, differences: [] });
  expect(await olga.credits.balance({ orgId: "o1" })).toMatchObject({ spentUsd: 1, remainingUsd: 2 });
});
