import type { Cases } from "./case.js";
import { check, checkPart, claim } from "./check.js";
import { budget, type CountersTrial, DAY_MS, limitOf, limitsOf, MINUTE_MS } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const requests = limitOf({ rpm: 10 });
const projectTokens = limitOf({ tpm: 150 }, { kind: "project" });
const spent = limitOf(budget(100, "never"), { kind: "org" });
const month = limitOf(budget(100, "monthly"), { kind: "member" });
const slots = limitOf({ inFlight: 3 });

/** A reserve: all or nothing. */
export const reserving: Cases<CountersTrial> = {
  "reserve charges every limit and answers the count of each after it": async (trial) => {
    const first = await trial.reserved("a", [
      [tokens, 30],
      [requests, 1],
      [spent, 7],
      [month, 8],
      [slots, 1],
    ]);
    check("used after the first", first.used, [30, 1, 7, 8, 1]);
    const second = await trial.reserved("b", [
      [requests, 1],
      [tokens, 20],
      [projectTokens, 20],
    ]);
    check("used after the second", second.used, [2, 50, 20]);
    await trial.holds("when read", [
      [tokens, 50],
      [requests, 2],
      [spent, 7],
      [month, 8],
      [slots, 1],
      [projectTokens, 20],
    ]);
  },

  "reserve answers with the reservation: its charges, and an expiry one TTL after its moment": async (
    trial,
  ) => {
    trial.ttlMs = 90_000;
    const charges = trial.charges([
      [tokens, 30],
      [month, 8],
    ]);
    const outcome = await trial.reserve("a", charges);
    checkPart("reserve", outcome, { outcome: "reserved", id: "a", charges, shadow: undefined });
    claim("reserve has a reservedAt", "reservedAt" in outcome && Number.isFinite(outcome.reservedAt));
    check("expiresAt - reservedAt", outcome.expiresAt - outcome.reservedAt, 90_000);
  },

  "a refused reserve charges nothing, whichever of its limits is short": async (trial) => {
    const all = [tokens, requests, projectTokens, spent, month, slots];
    await trial.reserved(
      "a",
      all.map((limit) => [limit, 3] as const),
    );
    for (const short of all) {
      const amounts = all.map((limit) => [limit, limit === short ? limit.max - 2 : 0] as const);
      const others = amounts.map(([limit, amount]) => [limit, amount || limit.max - 3] as const);
      const { readings } = await trial.refused("b", others);
      check(
        `used in the readings of a refusal by ${short.field}`,
        readings.map(({ used }) => used),
        all.map(() => 3),
      );
      await trial.holds(
        `after a refusal by ${short.field}`,
        all.map((limit) => [limit, 3] as const),
      );
    }
    await trial.reserved(
      "c",
      all.map((limit) => [limit, limit.max - 3] as const),
    );
  },

  "a refused reserve opens no reservation": async (trial) => {
    await trial.refused("a", [[tokens, 101]]);
    check("settle", await trial.settle("a", trial.charges([[tokens, 0]])), {
      outcome: "unknown_reservation",
    });
  },

  "a refusal tells for every limit what it has used and whether waiting helps": async (trial) => {
    await trial.reserved("a", [
      [tokens, 60],
      [spent, 60],
      [month, 60],
    ]);
    const { readings } = await trial.refused("b", [
      [tokens, 50],
      [projectTokens, 50],
      [spent, 50],
      [month, 50],
      [requests, 11],
    ]);
    check(
      "used",
      readings.map(({ used }) => used),
      [60, 0, 60, 60, 0],
    );
    const [minute, project, lifetime, calendar, tooMany] = readings.map(({ waitMs }) => waitMs);
    claim(`waitMs of a sliding minute is within it, got ${minute}`, isWaitWithin(minute, 61_000));
    check("waitMs of a limit that has room", project, 0);
    check("waitMs of a lifetime budget", lifetime, Number.POSITIVE_INFINITY);
    claim(`waitMs of a month is within it, got ${calendar}`, isWaitWithin(calendar, 31 * DAY_MS + MINUTE_MS));
    check("waitMs of an amount above the max", tooMany, Number.POSITIVE_INFINITY);
  },

  "a limit is reached exactly: its max passes, one more does not": async (trial) => {
    for (const limit of [tokens, spent, month, slots]) {
      await trial.reserved(`most of ${limit.field}`, [[limit, limit.max - 1]]);
      await trial.refused(`two of ${limit.field}`, [[limit, 2]]);
      await trial.reserved(`one of ${limit.field}`, [[limit, 1]]);
      await trial.refused(`more of ${limit.field}`, [[limit, 1]]);
      await trial.holds(`of ${limit.field}`, [[limit, limit.max]]);
    }
  },

  "an amount of zero is never refused: on a spent budget, above the max, at a max of zero": async (trial) => {
    const none = limitOf({ rpd: 0 });
    await trial.refused("some", [[none, 1]]);
    await trial.reserved("zero", [[none, 0]]);
    await trial.reserved("a", [[spent, 100]]);
    await trial.settled("a", [[spent, 140]]);
    // The second time by whatever shorter way counters have for limits that they have seen together before.
    for (const [id, tokensUsed] of [
      ["free", 5],
      ["free again", 10],
    ] as const) {
      const { used } = await trial.reserved(id, [
        [spent, 0],
        [tokens, 5],
      ]);
      check("used", used, [140, tokensUsed]);
    }
    const { readings } = await trial.refused("both", [
      [spent, 0],
      [tokens, 96],
    ]);
    check("waitMs of the amount of zero", readings[0]?.waitMs, 0);
  },

  "a limit in shadow mode refuses nothing, counts, and tells how it stood before the charge": async (
    trial,
  ) => {
    const shadow = limitOf({ rpm: 1, mode: "shadow" });
    const first = await trial.reserved("a", [
      [shadow, 1],
      [tokens, 10],
    ]);
    check("shadow of a call that fits", first.shadow, undefined);
    const second = await trial.reserved("b", [
      [shadow, 1],
      [tokens, 10],
    ]);
    check("used", second.used, [2, 20]);
    check(
      "used in shadow",
      second.shadow?.map(({ used }) => used),
      [1, 10],
    );
    const [ofShadow, ofTokens] = second.shadow?.map(({ waitMs }) => waitMs) ?? [];
    claim(`waitMs of the limit in shadow mode, got ${ofShadow}`, isWaitWithin(ofShadow, 61_000));
    check("waitMs of the limit that had room", ofTokens, 0);
    const zero = await trial.reserved("c", [[shadow, 0]]);
    check("shadow of an amount of zero", zero.shadow, undefined);
  },

  "an enforced limit refuses beside one in shadow mode, and neither is charged": async (trial) => {
    const shadow = limitOf({ rpm: 1, mode: "shadow" });
    await trial.reserved("a", [[shadow, 1]]);
    await trial.refused("b", [
      [shadow, 1],
      [tokens, 101],
    ]);
    await trial.holds("after the refusal", [
      [shadow, 1],
      [tokens, 0],
    ]);
  },

  "a changed max keeps what was used, and so does a changed mode": async (trial) => {
    for (const [of, wide, tight] of [
      ["a minute", limitOf({ tpm: 100 }), limitOf({ tpm: 20 })],
      ["a month", limitOf(budget(100, "monthly")), limitOf(budget(20, "monthly"))],
      ["a lifetime", limitOf(budget(100, "never")), limitOf(budget(20, "never"))],
      ["slots", limitOf({ inFlight: 100 }), limitOf({ inFlight: 20 })],
    ] as const) {
      await trial.reserved(`${of} a`, [[wide, 20]]);
      await trial.holds(`of ${of} under the tighter max`, [[tight, 20]]);
      await trial.refused(`${of} b`, [[tight, 1]]);
      await trial.reserved(`${of} c`, [[wide, 1]]);
      await trial.reserved(`${of} d`, [[{ ...tight, mode: "shadow" }, 1]]);
      await trial.holds(`of ${of} under the wider max`, [[wide, 22]]);
      await trial.settled(`${of} a`, [[tight, 0]]);
      await trial.holds(`of ${of} after a settle under another max`, [[wide, 2]]);
    }
  },

  "a reserve without charges is a reservation": async (trial) => {
    check("used", (await trial.reserved("a", [])).used, []);
    check("settle", await trial.settle("a", []), { outcome: "settled", used: [] });
    check("read", await trial.read([]), []);
  },

  "a hundred limits of four scopes are charged together, or none of them is": async (trial) => {
    const perModel = Object.fromEntries(Array.from({ length: 24 }, (_, i) => [`model-${i}`, { tpm: 10 }]));
    const scopes = (["org", "project", "member", "key"] as const).map((kind) => ({ kind }));
    const limits = scopes.flatMap((scope) => limitsOf({ rpm: 5, perModel }, scope));
    check("limits", limits.length, 100);
    const each = (amount: number) => limits.map((limit) => [limit, amount] as const);
    await trial.reserved("a", each(4));
    await trial.refused("b", [...each(1).slice(0, -1), ...each(7).slice(-1)]);
    await trial.holds("after the refusal", each(4));
    check("settle", (await trial.settled("a", each(1))).used, Array(100).fill(1));
  },

  "the biggest amounts stay exact": async (trial) => {
    const most = 9e15;
    for (const limit of [
      limitOf(budget(most, "never")),
      limitOf(budget(most, "daily")),
      limitOf({ tpd: 1e15 }),
    ]) {
      const { field, max } = limit;
      const { used } = await trial.reserved(`most of ${field}`, [[limit, max - 1]]);
      check(`used of ${field}`, used, [max - 1]);
      await trial.refused(`two of ${field}`, [[limit, 2]]);
      await trial.reserved(`one of ${field}`, [[limit, 1]]);
      const { readings } = await trial.refused(`more of ${field}`, [[limit, 1]]);
      check(`used of ${field} at its max`, readings[0]?.used, max);
      check(`settle of ${field}`, (await trial.settled(`most of ${field}`, [[limit, 3]])).used, [4]);
      check(`overdraft of ${field}`, (await trial.settled(`one of ${field}`, [[limit, max]])).used, [
        max + 3,
      ]);
    }
  },
};

function isWaitWithin(waitMs: number | undefined, maxMs: number): boolean {
  return waitMs !== undefined && waitMs >= 1 && waitMs <= maxMs;
}
