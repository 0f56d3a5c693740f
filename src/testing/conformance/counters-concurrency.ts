import type { Cases } from "./case.js";
import { check } from "./check.js";
import { budget, type CountersTrial, limitOf } from "./counters-trial.js";

const CALLS = 60;

/** Calls that are under way at the same time. */
export const concurrency: Cases<CountersTrial> = {
  "of many reserves at once exactly as many pass as fit": async (trial) => {
    for (const [of, limit] of [
      ["a minute", limitOf({ tpm: 100 })],
      ["a day", limitOf({ tpd: 100 })],
      ["a month", limitOf(budget(100, "monthly"))],
      ["a lifetime", limitOf(budget(100, "never"))],
      ["slots", limitOf({ inFlight: 100 })],
    ] as const) {
      const passed = count(
        await atOnce(CALLS, (i) => trial.reserve(`${of} ${i}`, trial.charges([[limit, 7]]))),
        "reserved",
      );
      check(`calls of 7 that ${of} of 100 admits`, passed, 14);
      await trial.holds(`of ${of}`, [[limit, 98]]);
    }
  },

  "reserves at once under a shared limit, with their limits in any order, never pass it": async (trial) => {
    const project = limitOf({ tpm: 100 }, { kind: "project" });
    const keys = ["ada", "bob", "eve"].map((id) => limitOf({ tpm: 60 }, { id }));
    const outcomes = await atOnce(CALLS, (i) => {
      const own = keys[i % keys.length] ?? project;
      const charges = trial.charges([
        [project, 5],
        [own, 5],
      ]);
      return trial.reserve(`r${i}`, i % 2 ? charges : charges.toReversed());
    });
    check("calls of 5 that 100 admit", count(outcomes, "reserved"), 20);
    const used = await trial.used(keys);
    check(
      "used of the project, by key",
      used.reduce((sum, one) => sum + one, 0),
      100,
    );
    for (const one of used) check("a key is within its 60", one <= 60, true);
    await trial.holds("of the project", [[project, 100]]);
  },

  "of many settles of one reservation at once exactly one is done": async (trial) => {
    const tokens = limitOf({ tpm: 100 });
    await trial.reserved("a", [[tokens, 50]]);
    await trial.reserved("b", [[tokens, 50]]);
    const outcomes = await atOnce(20, () => trial.settle("a", trial.charges([[tokens, 20]])));
    check("settled", count(outcomes, "settled"), 1);
    check("already settled", count(outcomes, "already_settled"), 19);
    await trial.holds("after them", [[tokens, 70]]);
  },

  "of many reserves at once with one idempotency key exactly one is charged": async (trial) => {
    const tokens = limitOf({ tpm: 100 });
    const idempotency = { key: "k", fingerprint: "f" };
    const outcomes = await atOnce(20, (i) =>
      trial.reserve(`r${i}`, trial.charges([[tokens, 9]]), { idempotency }),
    );
    check("reserved", count(outcomes, "reserved"), 1);
    check("replayed", count(outcomes, "replayed"), 19);
    const ids = outcomes.map((outcome) => ("id" in outcome ? outcome.id : undefined));
    check("different reservations", new Set(ids).size, 1);
    await trial.holds("after them", [[tokens, 9]]);
  },

  "reserves, extensions and settles at once leave what was settled, and nothing else": async (trial) => {
    const tokens = limitOf({ tpm: 1_000_000 });
    const spent = limitOf(budget(1_000_000, "never"), { kind: "org" });
    const slots = limitOf({ inFlight: 1_000 }, { kind: "project" });
    const amounts = (amount: number, slot: number) =>
      trial.charges([
        [tokens, amount],
        [spent, amount],
        [slots, slot],
      ]);
    await atOnce(CALLS, async (i) => {
      await trial.reserve(`r${i}`, amounts(100, 1));
      if (i % 3 === 0) await trial.reserve(`r${i}`, amounts(50, 0), { extend: true });
      await trial.settle(`r${i}`, amounts(i * 10, 0));
    });
    const total = (CALLS * (CALLS - 1) * 10) / 2;
    await trial.holds("after them", [
      [tokens, total],
      [spent, total],
      [slots, 0],
    ]);
  },
};

function atOnce<T>(times: number, call: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, i) => call(i)));
}

function count(outcomes: readonly { readonly outcome: string }[], wanted: string): number {
  return outcomes.filter(({ outcome }) => outcome === wanted).length;
}
