import type { Cases } from "./case.js";
import { check, claim } from "./check.js";
import { budget, type CountersTrial, DAY_MS, limitOf, MINUTE_MS, START } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const day = limitOf({ tpd: 100 });
const spent = limitOf(budget(100, "never"));
const slots = limitOf({ inFlight: 2 });

/** The 1/60 of a minute in which a moment is counted. */
const SECOND_MS = 1_000;

/**
 * Sliding windows: how long what was charged is counted, and how long a call has to wait. For counters that take the
 * caller's clock.
 */
export const windows: Cases<CountersTrial> = {
  "a sliding window counts a charge for its length, to the end of the 1/60 of the window it began in": async (
    trial,
  ) => {
    for (const [limit, lengthMs, bucketMs] of [
      [tokens, MINUTE_MS, SECOND_MS],
      [day, DAY_MS, DAY_MS / 60],
    ] as const) {
      // A midnight in UTC, at which a 1/60 of either window begins.
      const midnight = START + 2 * MINUTE_MS;
      trial.now = midnight + bucketMs - 1;
      const endsAt = midnight + lengthMs + bucketMs;
      await trial.reserved(limit.field, [[limit, 60]]);
      trial.now += lengthMs;
      await trial.holds(`of ${limit.field} one window later`, [[limit, 60]]);
      trial.now = endsAt - 1;
      await trial.holds(`of ${limit.field} at the last millisecond`, [[limit, 60]]);
      trial.now = endsAt;
      await trial.holds(`of ${limit.field} a millisecond later`, [[limit, 0]]);
    }
  },

  "a sliding window loses its charges one after the other, as they were made": async (trial) => {
    for (const [at, amount] of [
      [0, 10],
      [SECOND_MS, 20],
      [30_000, 30],
      [59_999, 40],
    ] as const) {
      trial.now = START + at;
      await trial.reserved(`at ${at}`, [[tokens, amount]]);
    }
    for (const [at, used] of [
      [60_999, 100],
      [61_000, 90],
      [62_000, 70],
      [90_999, 70],
      [91_000, 40],
      [119_999, 40],
      [120_000, 0],
    ] as const) {
      trial.now = START + at;
      await trial.holds(`${at} ms after the first`, [[tokens, used]]);
    }
  },

  "a window is not begun anew by later calls, nor by those that are refused": async (trial) => {
    const two = limitOf({ rpm: 2 });
    for (let second = 0; second <= 61; second++) {
      trial.now = START + second * SECOND_MS;
      if (second < 2 || second === 61) await trial.reserved(`call ${second}`, [[two, 1]]);
      else await trial.refused(`call ${second}`, [[two, 1]]);
    }
  },

  "waitMs is exact: one millisecond earlier the call is refused, at it the same call passes": async (
    trial,
  ) => {
    const limits = [
      tokens,
      day,
      limitOf(budget(100, "daily")),
      limitOf(budget(100, "weekly"), { kind: "org", timeZone: "Europe/Berlin" }),
      limitOf(budget(100, "monthly"), { kind: "member", timeZone: "America/St_Johns" }),
      limitOf({ inFlight: 100 }),
    ];
    for (const limit of limits) {
      for (const [i, amount] of [30, 30, 40].entries()) {
        trial.now += 7_531;
        await trial.reserved(`${limit.field} ${i}`, [[limit, amount]]);
      }
      const { readings } = await trial.refused(`${limit.field} x`, [[limit, 50]]);
      const [{ waitMs } = { waitMs: Number.NaN }] = readings;
      claim(
        `waitMs of ${limit.field} is a whole number, got ${waitMs}`,
        Number.isInteger(waitMs) && waitMs > 0,
      );
      trial.now += waitMs - 1;
      await trial.refused(`${limit.field} x, one millisecond early`, [[limit, 50]]);
      trial.now += 1;
      await trial.reserved(`${limit.field} x`, [[limit, 50]]);
    }
  },

  "waitMs is until the amount fits, not until the count is empty; resetMs is until it is": async (trial) => {
    await trial.reserved("a", [[tokens, 50]]);
    trial.now += 20_000;
    await trial.reserved("b", [[tokens, 50]]);
    trial.now += 5_000;
    const [small, large, tooLarge, none] = await trial.read([
      [tokens, 50],
      [tokens, 51],
      [tokens, 101],
      [tokens, 0],
    ]);
    check("an amount that fits with the first gone", small, { used: 100, waitMs: 36_000, resetMs: 56_000 });
    check("an amount that needs both gone", large, { used: 100, waitMs: 56_000, resetMs: 56_000 });
    check("an amount above the max", tooLarge, {
      used: 100,
      waitMs: Number.POSITIVE_INFINITY,
      resetMs: 56_000,
    });
    check("an amount of zero", none, { used: 100, waitMs: 0, resetMs: 56_000 });
    trial.now += 56_000;
    check("when empty", await trial.read([[tokens, 100]]), [{ used: 0, waitMs: 0, resetMs: 0 }]);
  },

  "a reserve tells when each count is empty by itself": async (trial) => {
    const month = limitOf(budget(100, "monthly"), { kind: "member" });
    const amounts = [
      [tokens, 10],
      [day, 0],
      [month, 10],
      [spent, 10],
      [slots, 1],
    ] as const;
    const { resetMs } = await trial.reserved("a", amounts);
    const { POSITIVE_INFINITY } = Number;
    check("resetMs", resetMs, [61_000, 0, 2 * MINUTE_MS, POSITIVE_INFINITY, POSITIVE_INFINITY]);
  },

  "a refund goes to where it was charged, a surcharge to the moment of the settle": async (trial) => {
    await trial.reserved("a", [[tokens, 60]]);
    trial.now = START + 30_000;
    await trial.reserved("b", [[tokens, 30]]);
    trial.now = START + 40_000;
    check("used after the refund", (await trial.settled("a", [[tokens, 10]])).used, [40]);
    trial.now = START + 50_000;
    check("used after the surcharge", (await trial.settled("b", [[tokens, 95]])).used, [105]);
    for (const [at, used] of [
      [60_999, 105],
      [61_000, 95],
      [91_000, 65],
      [110_999, 65],
      [111_000, 0],
    ] as const) {
      trial.now = START + at;
      await trial.holds(`${at} ms after the first`, [[tokens, used]]);
    }
  },

  "a refund of what is counted no more goes nowhere": async (trial) => {
    await trial.reserved("a", [[tokens, 80]]);
    trial.now += 2 * MINUTE_MS;
    // Others begin, so that counters which forget what is empty have reason to.
    for (const id of ["x", "y", "z"]) await trial.reserved(id, [[limitOf({ tpm: 10 }, { id }), 1]]);
    await trial.reserved("b", [[tokens, 60]]);
    check("used after the settle", (await trial.settled("a", [[tokens, 0]])).used, [60]);
    await trial.holds("when read", [[tokens, 60]]);
  },

  "a surcharge after the window is charged at the settle": async (trial) => {
    await trial.reserved("a", [[tokens, 10]]);
    trial.now += 2 * MINUTE_MS;
    for (const id of ["x", "y", "z"]) await trial.reserved(id, [[limitOf({ tpm: 10 }, { id }), 1]]);
    check("used after the settle", (await trial.settled("a", [[tokens, 70]])).used, [60]);
    trial.now += MINUTE_MS;
    await trial.holds("one window later", [[tokens, 60]]);
  },

  "a refund leaves no trace in resetMs where it empties the newest charge": async (trial) => {
    await trial.reserved("a", [[tokens, 10]]);
    trial.now += 30_000;
    await trial.reserved("b", [[tokens, 10]]);
    await trial.settled("b", [[tokens, 0]]);
    check("read", await trial.read([[tokens, 0]]), [{ used: 10, waitMs: 0, resetMs: 31_000 }]);
  },

  "what was charged last is given back first, so each part keeps min(estimate, actual) of its moment": async (
    trial,
  ) => {
    await trial.reserved("a", [[tokens, 30]]);
    trial.now = START + 20_000;
    await trial.reserved("a", [[tokens, 40]], { extend: true });
    trial.now = START + 40_000;
    await trial.reserved("a", [[tokens, 30]], { extend: true });
    check("used after the settle", (await trial.settled("a", [[tokens, 45]])).used, [45]);
    trial.now = START + 61_000;
    await trial.holds("when the first part is over", [[tokens, 15]]);
    trial.now = START + 81_000;
    await trial.holds("when the first extension is over", [[tokens, 0]]);
  },

  "each limit is given back what extensions at other moments charged to it, whichever limits each of them had":
    async (trial) => {
      const requests = limitOf({ rpm: 1_000 });
      await trial.reserved("a", [[tokens, 30]]);
      trial.now = START + 20_000;
      await trial.reserved("a", [[requests, 50]], { extend: true });
      trial.now = START + 40_000;
      await trial.reserved(
        "a",
        [
          [requests, 6],
          [tokens, 20],
        ],
        { extend: true },
      );
      await trial.settled("a", [
        [tokens, 40],
        [requests, 52],
      ]);
      trial.now = START + 61_000;
      await trial.holds("when the first part is over", [
        [tokens, 10],
        [requests, 52],
      ]);
      trial.now = START + 81_000;
      await trial.holds("when the first extension is over", [
        [tokens, 10],
        [requests, 2],
      ]);
    },
};
