import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { type CountersTrial, limitOf } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const requests = limitOf({ rpm: 100 });
const slots = limitOf({ inFlight: 3 });
const idempotency = { key: "k", fingerprint: "f" };

/** A reserve that is sent again, after an answer that was late or lost: by its id it is known. */
export const repeated: Cases<CountersTrial> = {
  "a reserve with the id of an open reservation is that one, charged once": async (trial) => {
    const { reservedAt, expiresAt, charges } = await trial.reserved("a", [
      [tokens, 60],
      [slots, 1],
    ]);
    await trial.reserved("other", [[tokens, 30]]);
    for (const dryRun of [true, false]) {
      const again = await trial.reserve("a", charges, { dryRun });
      checkPart("again", again, {
        outcome: "replayed",
        id: "a",
        reservedAt,
        expiresAt,
        charges,
        used: [90, 1],
      });
    }
    await trial.holds("after it", [
      [tokens, 90],
      [slots, 1],
    ]);
    const { used } = await trial.settled("a", [
      [tokens, 10],
      [slots, 0],
    ]);
    check("settle", used, [40, 0]);
  },

  "a reserve that is sent again after an extension is the whole reservation": async (trial) => {
    const { charges } = await trial.reserved("a", [[tokens, 20]]);
    await trial.reserved(
      "a",
      [
        [tokens, 30],
        [requests, 1],
      ],
      { extend: true },
    );
    const again = await trial.reserve("a", charges);
    checkPart("again", again, { outcome: "replayed", id: "a", used: [50, 1] });
    const amounts = "charges" in again ? again.charges.map(({ amount }) => amount) : undefined;
    check("its amounts", amounts, [50, 1]);
  },

  "a reserve with the id of a settled reservation charges nothing, whether or not there is room": async (
    trial,
  ) => {
    const { charges } = await trial.reserved("a", [[tokens, 60]]);
    await trial.settled("a", [[tokens, 20]]);
    for (const dryRun of [true, false]) {
      check("with room", await trial.reserve("a", charges, { dryRun }), { outcome: "already_settled" });
      const tooMuch = trial.charges([[tokens, 90]]);
      check("without", await trial.reserve("a", tooMuch, { dryRun }), { outcome: "already_settled" });
    }
    await trial.holds("after them", [[tokens, 20]]);
  },

  "a reserve with an idempotency key that is sent again charges nothing, whatever became of the first":
    async (trial) => {
      const { charges } = await trial.reserved("a", [[tokens, 60]], { idempotency });
      checkPart("while it is open", await trial.reserve("a", charges, { idempotency }), {
        outcome: "replayed",
        id: "a",
      });
      const other = { key: "l", fingerprint: "g" };
      check("as another call", await trial.reserve("a", charges, { idempotency: other }), {
        outcome: "conflict",
      });
      await trial.settled("a", [[tokens, 20]]);
      check("once it is settled", await trial.reserve("a", charges, { idempotency }), {
        outcome: "already_settled",
      });
      await trial.reserved("b", [[tokens, 40]], { idempotency });
      checkPart("once another call has its key", await trial.reserve("a", charges, { idempotency }), {
        outcome: "replayed",
        id: "b",
      });
      await trial.holds("after them", [[tokens, 60]]);
    },

  "a refused reserve that is sent again is judged afresh": async (trial) => {
    await trial.reserved("other", [[tokens, 60]]);
    await trial.refused("a", [[tokens, 60]]);
    await trial.settled("other", [[tokens, 0]]);
    await trial.reserved("a", [[tokens, 60]]);
  },

  "of one reserve that is sent many times at once exactly one is charged": async (trial) => {
    const charges = trial.charges([[tokens, 9]]);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => trial.reserve("a", charges)));
    const sorted = outcomes.map(({ outcome }) => outcome).sort();
    check("outcomes", sorted, [...Array(19).fill("replayed"), "reserved"]);
    await trial.holds("after them", [[tokens, 9]]);
  },
};

/** The same, where the clock is moved. */
export const repeatedLater: Cases<CountersTrial> = {
  "a reserve with the id of a reservation that has outlived its TTL charges nothing": async (trial) => {
    trial.ttlMs = 1_000;
    const { charges } = await trial.reserved("a", [[tokens, 60]]);
    trial.now += 1_000;
    for (const dryRun of [true, false]) {
      check("again", await trial.reserve("a", charges, { dryRun }), { outcome: "expired" });
    }
    await trial.holds("after it", [[tokens, 60]]);
  },
};
