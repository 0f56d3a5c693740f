import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { budget, type CountersTrial, DAY_MS, HOUR_MS, limitOf, MINUTE_MS, START } from "./counters-trial.js";

const spent = limitOf(budget(100, "never"));
const slots = limitOf({ inFlight: 2 });

/** How long a reservation lives, and what of it stays. For counters that take the caller's clock. */
export const lifetimes: Cases<CountersTrial> = {
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

  "an idempotency key whose reservation has expired is judged afresh, and belongs to the new one": async (
    trial,
  ) => {
    const idempotency = { key: "k", fingerprint: "f" };
    const call = [[spent, 10]] as const;
    trial.ttlMs = 5_000;
    await trial.reserved("a", call, { idempotency });
    trial.now += 5_000;
    await trial.reserved("b", call, { idempotency });
    const again = await trial.reserve("c", trial.charges(call), { idempotency });
    checkPart("again", again, { outcome: "replayed", id: "b", used: [20] });
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
    const others = trial.charges([
      [spent, 1],
      [slots, 0],
    ]);
    for (const laterMs of [0, 1, MINUTE_MS]) {
      trial.now += laterMs;
      check("settle", await trial.settle("late", charges), { outcome: "expired" });
      check("settle of another limit too", await trial.settle("late", others), { outcome: "expired" });
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
};
