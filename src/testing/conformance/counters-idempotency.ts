import type { Cases } from "./case.js";
import { check, checkPart } from "./check.js";
import { type CountersTrial, limitOf } from "./counters-trial.js";

const tokens = limitOf({ tpm: 100 });
const requests = limitOf({ rpm: 100 });
const idempotency = { key: "k", fingerprint: "f" };

/** The same idempotency key is the same reservation while that is open. */
export const idempotent: Cases<CountersTrial> = {
  "the same idempotency key again is the same reservation, charged once": async (trial) => {
    const first = await trial.reserved("a", [[tokens, 60]], { idempotency });
    await trial.reserved("other", [[tokens, 30]]);
    const again = await trial.reserve("b", trial.charges([[tokens, 60]]), { idempotency });
    const { id, reservedAt, expiresAt, charges } = first;
    checkPart("again", again, { outcome: "replayed", id, reservedAt, expiresAt, charges, used: [90] });
    await trial.holds("after it", [[tokens, 90]]);
    check("settle of the id that was not used", await trial.settle("b", charges), {
      outcome: "unknown_reservation",
    });
    check("settle", (await trial.settled("a", [[tokens, 10]])).used, [40]);
  },

  "an extended reservation is replayed whole": async (trial) => {
    await trial.reserved("a", [[tokens, 20]], { idempotency });
    await trial.reserved(
      "a",
      [
        [tokens, 30],
        [requests, 1],
      ],
      { extend: true },
    );
    const again = await trial.reserve("b", trial.charges([[tokens, 20]]), { idempotency });
    checkPart("again", again, { outcome: "replayed", id: "a", used: [50, 1] });
    const amounts = "charges" in again ? again.charges.map(({ amount }) => amount) : undefined;
    check("its amounts", amounts, [50, 1]);
  },

  "the same idempotency key with another fingerprint is a conflict and changes nothing": async (trial) => {
    await trial.reserved("a", [[tokens, 60]], { idempotency });
    const other = { ...idempotency, fingerprint: "g" };
    for (const dryRun of [false, true]) {
      const outcome = await trial.reserve("b", trial.charges([[tokens, 1]]), { idempotency: other, dryRun });
      check("another fingerprint", outcome, { outcome: "conflict" });
    }
    await trial.holds("after it", [[tokens, 60]]);
  },

  "once settled, an idempotency key is judged afresh, whatever its fingerprint": async (trial) => {
    await trial.reserved("a", [[tokens, 60]], { idempotency });
    await trial.settled("a", [[tokens, 60]]);
    await trial.refused("b", [[tokens, 60]], { idempotency });
    await trial.reserved("c", [[tokens, 40]], { idempotency: { ...idempotency, fingerprint: "g" } });
    await trial.holds("after it", [[tokens, 100]]);
  },

  "a refused call does not take its idempotency key": async (trial) => {
    await trial.refused("a", [[tokens, 101]], { idempotency });
    await trial.reserved("b", [[tokens, 10]], { idempotency: { ...idempotency, fingerprint: "g" } });
  },

  "a dry run does not take its idempotency key, and of one that is open tells the replay": async (trial) => {
    await trial.reserved("a", [[tokens, 10]], { idempotency, dryRun: true });
    await trial.reserved("b", [[tokens, 10]], { idempotency });
    const dry = await trial.reserve("c", trial.charges([[tokens, 10]]), { idempotency, dryRun: true });
    checkPart("the dry run", dry, { outcome: "replayed", id: "b", used: [10] });
  },

  "different idempotency keys, and calls without one, are apart": async (trial) => {
    await trial.reserved("a", [[tokens, 10]], { idempotency });
    await trial.reserved("b", [[tokens, 10]], { idempotency: { ...idempotency, key: "l" } });
    await trial.reserved("c", [[tokens, 10]]);
    await trial.reserved("d", [[tokens, 10]]);
    await trial.holds("after them", [[tokens, 40]]);
    await trial.settled("a", [[tokens, 10]]);
    const still = await trial.reserve("e", trial.charges([[tokens, 10]]), {
      idempotency: { ...idempotency, key: "l" },
    });
    checkPart("the other key after the settle", still, { outcome: "replayed", id: "b" });
  },
};
