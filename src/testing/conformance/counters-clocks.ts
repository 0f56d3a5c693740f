import type { Limit } from "../../admission/limit.js";
import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { budget, type CountersTrial, DAY_MS, HOUR_MS, limitOf, START } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const day = limitOf({ tpd: 100 });
const slots = limitOf({ inFlight: 2 });

/** A clock that goes back, and what does not move it. For counters that take the caller's clock. */
export const clocks: Cases<CountersTrial> = {
  "a clock that goes back gives no room: a reserve counts at the latest moment": async (trial) => {
    await trial.reserved("a", [[tokens, 60]]);
    trial.now = START - 30_000;
    await trial.refused("b", [[tokens, 41]]);
    const outcome = await trial.reserved("c", [[tokens, 40]]);
    checkPart("a reserve 30 s in the past", outcome, { reservedAt: START, expiresAt: START + HOUR_MS });
    trial.now = START + 60_999;
    await trial.holds("one window after the latest moment", [[tokens, 100]]);
    trial.now = START + 61_000;
    await trial.holds("after it", [[tokens, 0]]);
  },

  "a settle on a clock that went back counts at the latest moment": async (trial) => {
    trial.now = START - 30_000;
    await trial.reserved("a", [[tokens, 10]]);
    trial.now = START;
    await trial.reserved("b", [[tokens, 10]]);
    trial.now = START - 20_000;
    const outcome = await trial.settled("a", [[tokens, 50]]);
    checkPart("the moment at which it counted", outcome, { at: START });
    trial.now = START + 60_999;
    await trial.holds("one window after the latest moment", [[tokens, 50]]);
  },

  "a budget counts on after the clock was days ahead for a while, whatever is counted beside it": async (
    trial,
  ) => {
    const daily = (id: string) => limitOf(budget(100, "daily"), { id });
    const [before, after] = [daily("before"), daily("after")];
    await trial.reserved("before", [
      [before, 60],
      [tokens, 1],
    ]);
    trial.now = START + 3 * DAY_MS; // Nothing is made there, so there is no reason to forget anything either.
    await trial.reserved("ahead", [[tokens, 1]]);
    trial.now = START;
    await trial.reserved("after", [[after, 60]]);
    // Enough for counters that forget something only now and then.
    for (let i = 0; i < 70; i++) await trial.reserved(`beside ${i}`, [[daily(`beside ${i}`), 1]]);
    for (const limit of [before, after]) {
      await trial.holds("on the day of the reserve", [[limit, 60]]);
      await trial.refused("more", [[limit, 41]]);
    }
  },

  "waits on a clock that went back are told from that clock": async (trial) => {
    await trial.reserved("a", [[tokens, 100]]);
    trial.now = START - 30_000;
    check("read", await trial.read([[tokens, 1]]), [{ used: 100, waitMs: 91_000, resetMs: 91_000 }]);
    trial.now = START + 61_000;
    await trial.reserved("b", [[tokens, 1]]);
    trial.now = START + 30_000;
    check("read of what is empty", await trial.read([[day, 1]]), [{ used: 0, waitMs: 0, resetMs: 0 }]);
  },

  "a dry run has the times of the reserve after it, also where the clock went back": async (trial) => {
    const amounts: readonly (readonly [Limit, number])[] = [
      [tokens, 40],
      [day, 0],
      [slots, 1],
      [limitOf({ rpm: 0, mode: "shadow" }), 1],
    ];
    await trial.reserved("first", [[tokens, 1]]);
    for (const [id, laterMs] of [
      ["a", 10_000],
      ["b", -5_000],
      ["c", 7_000],
    ] as const) {
      trial.now += laterMs;
      const ask = (dryRun: boolean) => trial.reserve(id, trial.charges(amounts), { dryRun });
      const dry = await ask(true);
      check(`the dry run of ${id}`, dry, await ask(false));
    }
  },

  "a dry run and a reading do not move the counters' clock": async (trial) => {
    await trial.reserved("a", [[tokens, 100]]);
    trial.now = START + HOUR_MS;
    await trial.reserved("b", [[tokens, 100]], { dryRun: true });
    await trial.used([tokens]);
    trial.now = START + 1_000;
    await trial.holds("after them", [[tokens, 100]]);
    await trial.refused("c", [[tokens, 1]]);
  },
};
