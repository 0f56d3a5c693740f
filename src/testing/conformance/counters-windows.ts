import type { Limit } from "../../admission/limit.js";
import type { Cases } from "./case.js";
import { check, checkPart, claim } from "./check.js";
import { budget, type CountersTrial, DAY_MS, HOUR_MS, limitOf, MINUTE_MS, START } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const day = limitOf({ tpd: 100 });
const spent = limitOf(budget(100, "never"));
const slots = limitOf({ inFlight: 2 });

/** The 1/60 of a minute in which a moment is counted. */
const SECOND_MS = 1_000;

/** Sliding windows and the time that a reservation lives: for counters that take the caller's clock. */
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
    await trial.settled("a", [[tokens, 50]]);
    trial.now = START + 60_999;
    await trial.holds("one window after the latest moment", [[tokens, 50]]);
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

  "a lifetime budget never comes back by itself": async (trial) => {
    await trial.reserved("a", [[spent, 100]]);
    trial.now += 3_650 * DAY_MS;
    const { readings } = await trial.refused("b", [[spent, 1]]);
    const { POSITIVE_INFINITY } = Number;
    check("readings", readings, [{ used: 100, waitMs: POSITIVE_INFINITY, resetMs: POSITIVE_INFINITY }]);
  },

  "a slot is free at its reservation's TTL, not a millisecond before": async (trial) => {
    trial.ttlMs = 5_000;
    await trial.reserved("a", [[slots, 1]]);
    trial.now += 2_000;
    trial.ttlMs = 60_000;
    await trial.reserved("b", [[slots, 1]]);
    const { readings } = await trial.refused("c", [[slots, 1]]);
    check("readings", readings, [{ used: 2, waitMs: 3_000, resetMs: Number.POSITIVE_INFINITY }]);
    trial.now += 2_999;
    await trial.refused("c", [[slots, 1]]);
    trial.now += 1;
    await trial.holds("at the TTL", [[slots, 1]]);
    await trial.reserved("c", [[slots, 1]]);
  },

  "a reservation ends with its TTL: what it charged stays, and a settle or extension answers expired": async (
    trial,
  ) => {
    trial.ttlMs = 5_000;
    for (const id of ["early", "late"]) await trial.reserved(id, [[spent, 40]]);
    trial.now += 4_999;
    await trial.settled("early", [[spent, 10]]);
    trial.now += 1;
    const charges = trial.charges([[spent, 1]]);
    for (const laterMs of [0, 1, MINUTE_MS]) {
      trial.now += laterMs;
      check("settle", await trial.settle("late", charges), { outcome: "expired" });
      check("extend", await trial.reserve("late", charges, { extend: true }), { outcome: "expired" });
    }
    await trial.holds("after it", [[spent, 50]]);
  },

  "a reservation that lives longer than another ends at its own TTL": async (trial) => {
    for (const [id, ttlMs] of [
      ["long", HOUR_MS],
      ["short", 10],
      ["middle", MINUTE_MS],
    ] as const) {
      await trial.reserved(id, [[spent, 1]], { ttlMs });
    }
    const zero = trial.charges([[spent, 0]]);
    trial.now += 10;
    check("settle of the short one", await trial.settle("short", zero), { outcome: "expired" });
    checkPart("settle of the middle one", await trial.settle("middle", zero), { outcome: "settled" });
    trial.now += HOUR_MS - 11;
    checkPart("settle of the long one", await trial.settle("long", zero), { outcome: "settled" });
  },

  "an extension does not prolong the reservation": async (trial) => {
    trial.ttlMs = 5_000;
    await trial.reserved("a", [[slots, 1]]);
    trial.now += 4_000;
    const { expiresAt } = await trial.reserved("a", [[slots, 1]], { extend: true });
    check("expiresAt", expiresAt, START + 5_000);
    trial.now += 1_000;
    await trial.holds("at the TTL", [[slots, 0]]);
  },

  "an idempotency key is free once its reservation has outlived its TTL": async (trial) => {
    trial.ttlMs = 5_000;
    const idempotency = { key: "k", fingerprint: "f" };
    await trial.reserved("a", [[spent, 10]], { idempotency });
    trial.now += 4_999;
    const again = await trial.reserve("b", trial.charges([[spent, 10]]), { idempotency });
    checkPart("before the TTL", again, { outcome: "replayed", id: "a" });
    trial.now += 1;
    await trial.reserved("c", [[spent, 10]], { idempotency });
    await trial.holds("after it", [[spent, 20]]);
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
