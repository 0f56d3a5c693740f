import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { budget, type CountersTrial, limitOf } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const spent = limitOf(budget(100, "never"), { kind: "org" });
const month = limitOf(budget(100, "monthly"), { kind: "member" });
const slots = limitOf({ inFlight: 3 });

/** Reserves that only ask. */
export const dryRuns: Cases<CountersTrial> = {
  "a dry run answers what the reserve after it answers, and changes nothing": async (trial) => {
    const shadow = limitOf({ rpd: 1, mode: "shadow" });
    const idempotency = { key: "k", fingerprint: "f" };
    const amounts = [
      [tokens, 40],
      [shadow, 1],
      [month, 40],
      [slots, 1],
      [spent, 0],
    ] as const;
    for (const id of ["a", "b", "c"]) {
      const ask = (dryRun: boolean) =>
        trial.reserve(id, trial.charges(amounts), { dryRun, idempotency: { ...idempotency, key: id } });
      const limits = amounts.map(([limit]) => limit);
      const before = await trial.used(limits);
      const dry = await ask(true);
      check(`used after the dry run of ${id}`, await trial.used(limits), before);
      check(`settle of the dry run ${id}`, await trial.settle(id, trial.charges(amounts)), {
        outcome: "unknown_reservation",
      });
      check(`the dry run of ${id}`, timeless(dry), timeless(await ask(false)));
    }
  },

  "a dry run of an extension answers as it would, and extends nothing": async (trial) => {
    await trial.reserved("a", [[tokens, 40]]);
    const ask = (amount: number, dryRun: boolean) =>
      trial.reserve("a", trial.charges([[tokens, amount]]), { extend: true, dryRun });
    const dry = await ask(30, true);
    await trial.holds("after the dry run", [[tokens, 40]]);
    checkPart("the dry run of one that is too much", await ask(61, true), { outcome: "refused" });
    check("the dry run", timeless(dry), timeless(await ask(30, false)));
    await trial.settled("a", [[tokens, 0]]);
    await trial.holds("after the settle", [[tokens, 0]]);
  },

  "a dry run of an extension by nothing tells what a reservation holds, while it is open": async (trial) => {
    await trial.reserved("a", [[tokens, 40]]);
    await trial.reserved("a", [[tokens, 20]], { extend: true });
    const ask = () => trial.reserve("a", [], { extend: true, dryRun: true });
    const held = await ask();
    const amounts = "charges" in held ? held.charges.map(({ amount }) => amount) : undefined;
    check("what it holds", [held.outcome, amounts], ["reserved", [60]]);
    await trial.holds("after it was asked", [[tokens, 60]]);
    await trial.settled("a", [[tokens, 10]]);
    checkPart("once it is settled", await ask(), { outcome: "already_settled" });
  },
};

/** An outcome without what may differ by the milliseconds between two calls, where the counters have a clock of their own. */
function timeless(outcome: object): object {
  const { reservedAt, expiresAt, resetMs, readings, shadow, ...rest } = outcome as Record<string, unknown>; // sound: it is read only
  const used = (list: unknown) =>
    Array.isArray(list) ? list.map((reading: { used: number }) => reading.used) : list;
  return { ...rest, readings: used(readings), shadow: used(shadow) };
}
