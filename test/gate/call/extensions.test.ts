import { describe, expect, it } from "vitest";
import { fixed } from "../../../src/admission/estimate.js";
import type { Directory } from "../../../src/gate/chain/directory.js";
import { createGate } from "../../../src/gate/gate.js";
import { directoryOf } from "../../../src/testing/directory.js";
import { passed, readingOf, refusedBy, settled } from "../../scenarios/answers.js";
import { aChain, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const CHAIN = limited({ key: { tpm: 5_000, budget: { usd: 2, reset: "never" } } });
const USD = 1e9;

describe("a reservation from before an extension", () => {
  it("settles as the whole: what is left out stays as it was reserved, the extension included", async () => {
    const { gate } = world(CHAIN);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    passed(await gate.extend(reservation, { maxOutputTokens: 300, costUsd: 0.3 }));
    const { charged } = settled(await gate.settle(reservation, {}));
    expect(charged).toMatchObject({ tokens: 320, costNanoUsd: 0.4 * USD });
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 320 });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.4 * USD });
  });

  it("takes what is said as it is said", async () => {
    const { gate } = world(CHAIN);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    passed(await gate.extend(reservation, { maxOutputTokens: 300, costUsd: 0.3 }));
    settled(await gate.settle(reservation, { outputTokens: 0, costUsd: 0 }));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 10 });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("is extended again as the whole, also while another extension is under way", async () => {
    const { gate } = world(CHAIN);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const more = { maxOutputTokens: 100, costUsd: 0.3 };
    const [one, two] = await Promise.all([gate.extend(reservation, more), gate.extend(reservation, more)]);
    passed(one);
    expect(passed(two).reservation).toMatchObject({ outputTokens: 210, costNanoUsd: 0.7 * USD });
    const three = passed(await gate.extend(reservation, more)).reservation;
    expect(three).toMatchObject({ outputTokens: 310, costNanoUsd: 1 * USD });
    settled(await gate.settle(reservation, {}));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 320 });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 1 * USD });
    expect(await gate.settle(three, {})).toEqual({ settled: false, reason: "already_settled" });
  });

  it("is released with the extension", async () => {
    const { gate } = world(CHAIN);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    passed(await gate.extend(reservation, { costUsd: 0.3 }));
    settled(await gate.release(reservation));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });
});

describe("an extension", () => {
  it("of a model without a price costs what `unpriced` says where a budget applies, and nothing where none does, as the call does", async () => {
    const call = { model: "unknown", inputTokens: 1, maxOutputTokens: 10 };
    for (const [limits, costNanoUsd] of [
      [{ rpm: 100 }, 0],
      [{ budget: { usd: 20, reset: "never" } }, 5 * USD],
    ] as const) {
      const { gate } = world(limited({ key: limits }), { unpriced: { usd: 5 } });
      const { reservation } = passed(await gate.admit(KEY, call));
      const extended = passed(await gate.extend(reservation, { maxOutputTokens: 10 })).reservation;
      const atOnce = passed(await gate.admit(KEY, { ...call, maxOutputTokens: 20 })).reservation;
      expect([extended, atOnce]).toMatchObject([{ costNanoUsd }, { costNanoUsd }]);
    }
  });

  it("is refused to a key that has been disabled or has ended since, and leaves the reservation as it was", async () => {
    const limits = { tpm: 5_000 };
    for (const [key, reason] of [
      [{ status: "disabled" }, "key_disabled"],
      [{ expiresAt: NOON }, "key_expired"],
    ] as const) {
      const { gate, put, clock } = world(aChain({ key: { limits } }), { cache: { maxAgeMs: 1 } });
      const { reservation } = passed(await gate.admit(KEY, CALL));
      put(aChain({ key: { limits, ...key } }));
      clock.at += 1;
      expect(refusedBy(await gate.extend(reservation, { maxOutputTokens: 100 })).reason).toBe(reason);
      expect(await readingOf(gate, "tokens")).toMatchObject({ used: 20 });
      expect(settled(await gate.settle(reservation, {})).charged).toMatchObject({ tokens: 20 });
    }
  });

  it("is refused to a key that has been deleted since, and the call can still be settled", async () => {
    const directory = directoryOf(CHAIN);
    let isDeleted = false;
    const key: Directory["key"] = async (ref) => (isDeleted ? undefined : directory.key(ref));
    const clock = { at: NOON, now: () => clock.at };
    const gate = createGate({ directory: { ...directory, key }, clock, cache: { maxAgeMs: 1 } });
    const { reservation } = passed(await gate.admit(KEY, CALL));
    isDeleted = true;
    clock.at += 1;
    expect(refusedBy(await gate.extend(reservation, { maxOutputTokens: 100 })).reason).toBe("invalid_key");
    expect(settled(await gate.settle(reservation, {})).charged).toMatchObject({ tokens: 20 });
  });

  it("comes with all that the reservation holds by then, for a process that settles it from its JSON", async () => {
    const { gate } = world(CHAIN);
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const more = passed(await gate.extend(reservation, { maxOutputTokens: 100, costUsd: 0.3 }));
    expect(more.reservation.charges.amounts).toEqual([120, 0.4 * USD]);
  });
});

describe("a replayed reservation", () => {
  it("has the estimates that are held, an extension included", async () => {
    const { gate } = world(CHAIN);
    const call = { ...CALL, requestId: "r" };
    const { reservation } = passed(await gate.admit(KEY, call));
    passed(await gate.extend(reservation, { maxOutputTokens: 100, costUsd: 0.3 }));
    const again = passed(await gate.admit(KEY, call));
    expect(again.reservation).toMatchObject({
      inputTokens: 10,
      outputTokens: 110,
      costNanoUsd: 0.4 * USD,
      charges: { amounts: [120, 0.4 * USD] },
    });
    settled(await gate.settle(again.reservation, {}));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 120 });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.4 * USD });
  });

  it("has those of the first call where the estimator thinks otherwise by now", async () => {
    let estimate = fixed(100);
    const { gate } = world(CHAIN, { estimate: (call) => estimate(call) });
    const call = { model: "gpt-4o", inputTokens: 10, requestId: "r" };
    passed(await gate.admit(KEY, call));
    const cost = await readingOf(gate, "cost");
    estimate = fixed(500);
    const again = passed(await gate.admit(KEY, call));
    expect(again.reservation).toMatchObject({ outputTokens: 100, costNanoUsd: cost.used });
    settled(await gate.settle(again.reservation, {}));
    expect(await readingOf(gate, "tokens")).toMatchObject({ used: 110 });
    expect(await readingOf(gate, "cost")).toEqual(cost);
  });

  it("on a customer's own provider key has the cost that no budget counts", async () => {
    const { gate } = world(limited({ key: { budget: { usd: 2, reset: "never" } } }));
    const call = { ...CALL, byok: true, requestId: "r" };
    passed(await gate.admit(KEY, call));
    expect(passed(await gate.admit(KEY, call)).reservation).toMatchObject({ costNanoUsd: 0.1 * USD });
  });
});
