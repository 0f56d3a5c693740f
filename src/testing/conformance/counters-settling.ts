import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { budget, type CountersTrial, limitOf } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const spent = limitOf(budget(100, "never"), { kind: "org" });
const month = limitOf(budget(100, "monthly"), { kind: "member" });
const slots = limitOf({ inFlight: 2 });
const fast = limitOf({ perModel: { fast: { tpm: 50 } } });
const slow = limitOf({ perModel: { slow: { tpm: 50 } } });

/** A settle corrects once and never refuses; an extension asks for more. */
export const settling: Cases<CountersTrial> = {
  "settle corrects each count to what was used, down and up, and answers with it": async (trial) => {
    await trial.reserved("other", [
      [tokens, 10],
      [spent, 10],
      [month, 10],
    ]);
    await trial.reserved("a", [
      [tokens, 50],
      [spent, 50],
      [month, 50],
    ]);
    const outcome = await trial.settled("a", [
      [tokens, 20],
      [spent, 50],
      [month, 70],
    ]);
    check("settle", outcome, { outcome: "settled", used: [30, 60, 80] });
    await trial.holds("when read", [
      [tokens, 30],
      [spent, 60],
      [month, 80],
    ]);
  },

  "an explicit zero is zero: a settle with nothing used gives everything back": async (trial) => {
    const all = [tokens, spent, month, slots] as const;
    const zeros = all.map((limit) => [limit, 0] as const);
    await trial.reserved(
      "a",
      all.map((limit) => [limit, 2] as const),
    );
    check("settle", await trial.settled("a", zeros), { outcome: "settled", used: [0, 0, 0, 0] });
    await trial.holds("when read", zeros);
  },

  "settle never refuses: it passes the max, and later calls are refused": async (trial) => {
    await trial.reserved("a", [
      [tokens, 10],
      [spent, 10],
    ]);
    const { used } = await trial.settled("a", [
      [tokens, 663],
      [spent, 101],
    ]);
    check("used", used, [663, 101]);
    const { readings } = await trial.refused("b", [
      [tokens, 1],
      [spent, 1],
    ]);
    check(
      "used in the refusal",
      readings.map((reading) => reading.used),
      [663, 101],
    );
  },

  "settle is done once: another answers already_settled and changes nothing": async (trial) => {
    await trial.reserved("a", [[tokens, 50]]);
    await trial.reserved("b", [[tokens, 30]]);
    await trial.settled("a", [[tokens, 20]]);
    for (const amount of [0, 20, 90]) {
      check(`another settle as ${amount}`, await trial.settle("a", trial.charges([[tokens, amount]])), {
        outcome: "already_settled",
      });
    }
    await trial.holds("after them", [[tokens, 50]]);
  },

  "what nobody reserved is unknown_reservation, to settle and to extend, and changes nothing": async (
    trial,
  ) => {
    const charges = trial.charges([[tokens, 20]]);
    check("settle", await trial.settle("nobody", charges), { outcome: "unknown_reservation" });
    check("extend", await trial.reserve("nobody", charges, { extend: true }), {
      outcome: "unknown_reservation",
    });
    await trial.holds("after them", [[tokens, 0]]);
  },

  "a reservation is plain JSON: what was written out and read in settles alike": async (trial) => {
    await trial.reserved("other", [[tokens, 5]]);
    const { charges } = await trial.reserved("a", [
      [tokens, 50],
      [month, 50],
    ]);
    const copy = JSON.parse(JSON.stringify(charges)) as typeof charges; // sound: it is what was written
    const amounts = copy.map((charge) => ({ ...charge, amount: 20 }));
    check("settle", await trial.settle("a", amounts), { outcome: "settled", used: [25, 20] });
  },

  "settle charges limits that were not reserved, such as those of the model a call fell back to": async (
    trial,
  ) => {
    await trial.reserved("a", [
      [tokens, 30],
      [fast, 30],
    ]);
    const { used } = await trial.settled("a", [
      [tokens, 60],
      [fast, 0],
      [slow, 60],
      [spent, 9],
      [month, 8],
      [slots, 1],
    ]);
    check("used", used, [60, 0, 60, 9, 8, 1]);
    await trial.holds("when read", [
      [tokens, 60],
      [fast, 0],
      [slow, 60],
      [spent, 9],
      [month, 8],
      [slots, 1],
    ]);
  },

  "a slot is taken until its reservation is settled": async (trial) => {
    for (const id of ["a", "b"]) await trial.reserved(id, [[slots, 1]]);
    await trial.refused("c", [[slots, 1]]);
    check("settle", (await trial.settled("a", [[slots, 0]])).used, [1]);
    await trial.reserved("c", [[slots, 1]]);
    await trial.refused("d", [[slots, 1]]);
    for (const id of ["b", "c"]) await trial.settled(id, [[slots, 0]]);
    await trial.holds("after all are settled", [[slots, 0]]);
  },

  "extend charges what comes on top and answers with the whole reservation": async (trial) => {
    await trial.reserved("other", [[tokens, 5]]);
    const first = await trial.reserved("a", [
      [tokens, 30],
      [month, 30],
      [slots, 1],
    ]);
    const more = await trial.reserved(
      "a",
      [
        [tokens, 20],
        [month, 10],
        [slots, 0],
        [spent, 4],
      ],
      { extend: true },
    );
    check("used of what was asked for", more.used, [55, 40, 1, 4]);
    check(
      "amounts of the whole reservation",
      more.charges.map(({ limit, amount }) => [limit.scopeKey, limit.field, amount]),
      [
        [tokens, 50],
        [month, 40],
        [slots, 1],
        [spent, 4],
      ].map(([limit, amount]) => {
        const { scopeKey, field } = limit as typeof tokens; // sound: a pair has its limit first
        return [scopeKey, field, amount];
      }),
    );
    const times = ({ reservedAt, expiresAt }: typeof first) => ({ reservedAt, expiresAt });
    check("times", times(more), times(first));
    const { used } = await trial.settled("a", [
      [tokens, 45],
      [month, 60],
      [slots, 0],
      [spent, 1],
    ]);
    check("settle", used, [50, 60, 0, 1]);
  },

  "a refused extension leaves the reservation and every count as they were": async (trial) => {
    await trial.reserved("a", [
      [tokens, 60],
      [month, 60],
    ]);
    const { readings } = await trial.refused(
      "a",
      [
        [tokens, 20],
        [month, 41],
      ],
      { extend: true },
    );
    check(
      "used in the refusal",
      readings.map(({ used }) => used),
      [60, 60],
    );
    await trial.holds("after it", [
      [tokens, 60],
      [month, 60],
    ]);
    const { used } = await trial.settled("a", [
      [tokens, 10],
      [month, 10],
    ]);
    check("settle", used, [10, 10]);
  },

  "an extension past a limit in shadow mode passes and tells how it stood": async (trial) => {
    const shadow = limitOf({ tpm: 40, mode: "shadow" }, { kind: "project" });
    await trial.reserved("a", [[shadow, 30]]);
    const { used, shadow: told } = await trial.reserved("a", [[shadow, 20]], { extend: true });
    check("used", used, [50]);
    check(
      "used in shadow",
      told?.map((reading) => reading.used),
      [30],
    );
  },

  "a reservation that was extended is given back whole": async (trial) => {
    await trial.reserved("a", [[tokens, 10]]);
    for (let i = 0; i < 3; i++) await trial.reserved("a", [[tokens, 20]], { extend: true });
    await trial.holds("before", [[tokens, 70]]);
    check("settle", (await trial.settled("a", [[tokens, 0]])).used, [0]);
  },

  "extensions of other limits in between, as after limits were changed, are told and given back as what they are":
    async (trial) => {
      await trial.reserved("a", [[tokens, 1]]);
      const extend = (...parts: readonly (readonly [typeof tokens, number])[]) =>
        trial.reserved("a", parts, { extend: true });
      await extend([tokens, 2]);
      await extend([tokens, 4], [month, 5]);
      await extend([month, 6], [tokens, 8]);
      await extend([month, 7]);
      await extend([month, 9]);
      const { charges, used } = await extend([tokens, 16]);
      check("used", used, [31]);
      check(
        "amounts of the whole reservation",
        charges.map(({ limit: { field }, amount }) => [field, amount]),
        [
          [tokens.field, 31],
          [month.field, 27],
        ],
      );
      const settled = await trial.settled("a", [
        [tokens, 3],
        [month, 20],
      ]);
      check("settle", settled.used, [3, 20]);
    },

  "what is settled cannot be extended, and nothing is charged": async (trial) => {
    await trial.reserved("a", [[tokens, 10]]);
    await trial.settled("a", [[tokens, 10]]);
    checkPart("extend", await trial.reserve("a", trial.charges([[tokens, 10]]), { extend: true }), {
      outcome: "already_settled",
    });
    await trial.holds("after it", [[tokens, 10]]);
  },
};
