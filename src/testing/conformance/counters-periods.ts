import type { Cases } from "./case.js";
import { check } from "./check.js";
import { budget, type CountersTrial, DAY_MS, limitOf, START } from "./counters-trial.js";

const day = limitOf(budget(100, "daily"));
const week = limitOf(budget(100, "weekly"));
const month = limitOf(budget(100, "monthly"), { kind: "org" });

/** The last moment of 31 May 2026 UTC, a Sunday: a day, a week and a month end with it. */
const LAST = Date.UTC(2026, 5, 1) - 1;

/** Budgets by the calendar: for counters that take the caller's clock. */
export const periods: Cases<CountersTrial> = {
  "a budget starts again with the first millisecond of its next period": async (trial) => {
    for (const limit of [day, week, month]) {
      trial.now = LAST - 1_000;
      await trial.reserved(`a ${limit.field}`, [[limit, 100]]);
      trial.now = LAST;
      const { readings } = await trial.refused(`b ${limit.field}`, [[limit, 1]]);
      check(`readings of ${limit.field}`, readings, [{ used: 100, waitMs: 1, resetMs: 1 }]);
      trial.now = LAST + 1;
      check(`used of ${limit.field}`, (await trial.reserved(`b ${limit.field}`, [[limit, 100]])).used, [100]);
    }
  },

  "the period of the admission pays when the settle comes after the reset": async (trial) => {
    trial.now = LAST;
    for (const id of ["up", "down", "same"]) {
      await trial.reserved(id, [
        [day, 20],
        [month, 20],
      ]);
    }
    trial.now = LAST + 60_000;
    await trial.reserved("new", [
      [day, 9],
      [month, 9],
    ]);
    for (const [id, actual, used] of [
      ["up", 90, 130],
      ["down", 5, 115],
      ["same", 20, 115],
    ] as const) {
      const outcome = await trial.settled(
        id,
        [
          [day, actual],
          [month, actual],
        ],
        LAST,
      );
      check(`settle ${id}`, outcome.used, [used, used]);
    }
    await trial.holds("of the new period", [
      [day, 9],
      [month, 9],
    ]);
    await trial.holds(
      "of the old period",
      [
        [day, 115],
        [month, 115],
      ],
      LAST,
    );
  },

  "the period of the admission pays also where nobody has called in the new one": async (trial) => {
    trial.now = LAST;
    await trial.reserved("a", [[day, 20]]);
    trial.now = LAST + 60_000;
    check("settle", (await trial.settled("a", [[day, 120]], LAST)).used, [120]);
    check("used of the new period", (await trial.reserved("b", [[day, 7]])).used, [7]);
    await trial.holds("of the old period", [[day, 120]], LAST);
  },

  "an extension after the reset is of the period of the admission": async (trial) => {
    trial.now = LAST;
    await trial.reserved("a", [[day, 60]]);
    trial.now = LAST + 60_000;
    await trial.reserved("b", [[day, 10]]);
    const extend = (amount: number) =>
      trial.reserve("a", trial.charges([[day, amount]], LAST), { extend: true });
    const refused = await extend(41);
    check("one that is too much", refused, {
      outcome: "refused",
      // The period has ended: waiting gets no room in it.
      readings: [{ used: 60, waitMs: Number.POSITIVE_INFINITY, resetMs: 0 }],
    });
    const extended = await extend(40);
    check("used after one that fits", "used" in extended ? extended.used : extended, [100]);
    check("settle", (await trial.settled("a", [[day, 70]], LAST)).used, [70]);
    await trial.holds("of the new period", [[day, 10]]);
  },

  "a settle more than one period late changes neither the present period nor the one before": async (
    trial,
  ) => {
    trial.ttlMs = 7 * DAY_MS;
    trial.now = START;
    await trial.reserved("refund", [[day, 50]]);
    await trial.reserved("surcharge", [[day, 10]]);
    for (const [id, amount] of [
      ["next", 20],
      ["present", 30],
    ] as const) {
      trial.now += DAY_MS;
      await trial.reserved(id, [[day, amount]]);
    }
    await trial.settled("refund", [[day, 0]], START);
    await trial.settled("surcharge", [[day, 90]], START);
    await trial.holds("of the present period", [[day, 30]]);
    await trial.holds("of the one before", [[day, 20]], START + DAY_MS);
  },

  "a settle that names another period than its reservation leaves no count below zero": async (trial) => {
    trial.now = LAST;
    await trial.reserved("a", [[day, 20]]);
    trial.now = LAST + 60_000;
    await trial.reserved("b", [[day, 9]]);
    check("settle", (await trial.settled("a", [[day, 5]])).used, [0]);
    check("used after the next", (await trial.reserved("c", [[day, 100]])).used, [100]);
    await trial.refused("d", [[day, 1]]);
  },

  "a period that nobody called in is empty": async (trial) => {
    trial.now = START;
    await trial.reserved("a", [[day, 100]]);
    trial.now += 5 * DAY_MS;
    await trial.holds("five days later", [[day, 0]]);
    check("used", (await trial.reserved("b", [[day, 100]])).used, [100]);
  },

  "two processes whose clocks differ around a reset each charge the period of their own": async (trial) => {
    const at = async (id: string, now: number, amount: number) => {
      trial.now = now;
      return (await trial.reserved(id, [[day, amount]])).used;
    };
    check("used before the reset", await at("a", LAST - 1_000, 10), [10]);
    check("used after it", await at("b", LAST + 500, 20), [20]);
    check("used by the one behind", await at("c", LAST - 500, 5), [15]);
    check("used by the one ahead", await at("d", LAST + 600, 1), [21]);
    trial.now = LAST - 400;
    await trial.refused("e", [[day, 86]]);
    await trial.holds("of the old period", [[day, 15]]);
  },

  "after one call by a clock that was a month ahead, each day until then has its own budget": async (
    trial,
  ) => {
    const on = (days: number) => {
      trial.now = LAST - 999 + days * DAY_MS; // a second before its end
    };
    await trial.reserved("today", [[day, 60]]);
    on(30);
    await trial.reserved("ahead", [[day, 90]]);
    on(0);
    await trial.holds("of today", [[day, 60]]);
    for (const days of [1, 2, 5]) {
      on(days);
      await trial.holds("before the first call of a day", [[day, 0]]);
      check("used by it", (await trial.reserved(`day ${days}`, [[day, 70]])).used, [70]);
      check("a reading without room", await trial.read([[day, 31]]), [
        { used: 70, waitMs: 1_000, resetMs: 1_000 },
      ]);
      check("settled", (await trial.settled(`day ${days}`, [[day, 80]])).used, [80]);
      await trial.refused(`more on day ${days}`, [[day, 21]]);
    }
    on(29);
    await trial.reserved("the day before", [[day, 100]]);
    check("a reading before a day that is spent", (await trial.read([[day, 11]]))[0]?.waitMs, 1_000 + DAY_MS);
    on(30);
    await trial.holds("of the day of the call ahead", [[day, 90]]);
  },

  "an org that moves to another time zone keeps what it has used": async (trial) => {
    trial.now = Date.UTC(2026, 4, 15, 12);
    const moved = limitOf(budget(100, "monthly"), { kind: "org", timeZone: "America/New_York" });
    await trial.reserved("a", [[month, 60]]);
    await trial.holds("in the new zone", [[moved, 60]]);
    await trial.refused("b", [[moved, 41]]);
    check("settle", (await trial.settled("a", [[moved, 50]])).used, [50]);
    trial.now = Date.UTC(2026, 5, 1, 4) - 1;
    check("readings before New York's June", await trial.read([[moved, 60]]), [
      { used: 50, waitMs: 1, resetMs: 1 },
    ]);
    trial.now += 1;
    await trial.reserved("c", [[moved, 100]]);
  },

  "a wait goes on over a period that is spent too, as after an org has moved west over a date": async (
    trial,
  ) => {
    const angeles = limitOf(budget(100, "daily"), { timeZone: "America/Los_Angeles" });
    trial.now = Date.UTC(2026, 4, 15, 12);
    await trial.reserved("the 15th", [[day, 100]]);
    trial.now = Date.UTC(2026, 4, 16, 3);
    await trial.reserved("the 16th", [[day, 60]]);
    // There it is the evening of the 15th.
    const untilThe16th = 4 * 3_600_000;
    check(
      "readings",
      await trial.read([
        [angeles, 40],
        [angeles, 41],
        [angeles, 101],
      ]),
      [
        { used: 100, waitMs: untilThe16th, resetMs: untilThe16th },
        { used: 100, waitMs: untilThe16th + DAY_MS, resetMs: untilThe16th },
        { used: 100, waitMs: Number.POSITIVE_INFINITY, resetMs: untilThe16th },
      ],
    );
    const { readings } = await trial.refused("a", [[angeles, 41]]);
    check("readings of a refusal", readings, [
      { used: 100, waitMs: untilThe16th + DAY_MS, resetMs: untilThe16th },
    ]);
    trial.now += untilThe16th + DAY_MS - 1;
    await trial.refused("b", [[angeles, 41]]);
    trial.now += 1;
    await trial.reserved("b", [[angeles, 41]]);
  },

  "a day of 23 hours and one of 25 end when their midnight comes": async (trial) => {
    const berlin = limitOf(budget(100, "daily"), { timeZone: "Europe/Berlin" });
    for (const [name, beginsAt, hours] of [
      ["spring", Date.UTC(2026, 2, 28, 23), 23],
      ["autumn", Date.UTC(2026, 9, 24, 22), 25],
    ] as const) {
      trial.now = beginsAt;
      await trial.reserved(name, [[berlin, 100]]);
      const { readings } = await trial.refused(`${name} again`, [[berlin, 1]]);
      check(`readings in ${name}`, readings, [
        { used: 100, waitMs: hours * 3_600_000, resetMs: hours * 3_600_000 },
      ]);
    }
  },
};
