import { createLedger, memoryCounters, memoryLedgerSink, priceCatalog } from "tollgate";
import { describe, expect, it } from "vitest";
import type { Reservation } from "../../../src/gate/call/reservation.js";
import { ValidationError } from "../../../src/model/errors.js";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { aChain, elsewhere, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const USD = 1e9;
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });
const MIDNIGHT = NOON + 12 * 3_600_000;

describe("an extension", () => {
  it("gives nothing back where the call was said to cost more than its tokens do", async () => {
    const { gate } = world(BUDGET);
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.5 }));
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 10 })).reservation;
    expect(extended).toMatchObject({ costNanoUsd: 0.5 * USD });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.5 * USD });
  });

  it("is priced with the parts that the call was said to have", async () => {
    const price = { inputUsdPerMillion: 1, cacheWriteUsdPerMillion: 2, outputUsdPerMillion: 1 };
    const budget = { usd: 9, reset: "daily" } as const;
    const { gate } = world(limited({ key: { budget } }), { prices: priceCatalog.of({ m: price }) });
    const call = { model: "m", inputTokens: 1_000_000, cacheWriteTokens: 1_000_000, maxOutputTokens: 0 };
    const { reservation } = passed(await gate.admit(KEY, call));
    expect(reservation.costNanoUsd).toBe(2 * USD);
    const extended = passed(await gate.extend(reservation, { maxOutputTokens: 1_000_000 })).reservation;
    expect(extended.costNanoUsd).toBe(3 * USD);
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 3 * USD });
  });

  it("after midnight is charged to the budgets of the admission's day, also to one that is new since", async () => {
    const { gate, clock, put } = world(aChain());
    clock.at = MIDNIGHT - 1_000;
    const { reservation } = passed(await gate.admit(KEY, CALL));
    put(BUDGET);
    clock.at = MIDNIGHT + 60_000;
    passed(await gate.extend(reservation, { costUsd: 0.2 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });
});

describe("a settle", () => {
  it("takes the JSON of a reservation that a later version has made, with fields that are not known", async () => {
    const { gate } = world(BUDGET);
    const later = (reservation: Reservation) => {
      const { charges, ...rest } = JSON.parse(JSON.stringify(reservation));
      const limits = charges.limits.map((limit: object) => ({ ...limit, burst: 2 }));
      return { ...rest, region: "eu", charges: { ...charges, limits, notedAt: 7 } };
    };
    const [one, two] = [passed(await gate.admit(KEY, CALL)), passed(await gate.admit(KEY, CALL))];
    expect(settled(await gate.settle(later(one.reservation), { costUsd: 0.05 }))).toMatchObject({
      charged: { costNanoUsd: 0.05 * USD },
    });
    expect(settled(await gate.release(JSON.stringify(later(two.reservation))))).toMatchObject({
      overdraft: [],
    });
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.05 * USD });
    const unknown = later(one.reservation);
    unknown.charges.limits[0].window = { kind: "leaky", name: "hour" };
    await expect(gate.settle(unknown, {})).rejects.toThrow("reservation.charges.limits[0].window.kind");
  });

  it("to what was reserved is no overdraft of its own, where another one has passed the max", async () => {
    const { gate } = world(BUDGET);
    const half = { ...CALL, costUsd: 0.5 };
    const [one, two] = [passed(await gate.admit(KEY, half)), passed(await gate.admit(KEY, half))];
    expect(settled(await gate.settle(one.reservation, { costUsd: 0.8 })).overdraft).toHaveLength(1);
    expect(settled(await gate.settle(two.reservation, { costUsd: 0.5 })).overdraft).toEqual([]);
  });

  it("of a fallback after midnight is charged to the admission's day by the limits of the model that answered", async () => {
    const { gate, clock } = world(
      aChain({
        org: { virtualModels: { smart: ["gpt-4o-mini", "gpt-4o"] } },
        key: { limits: { perModel: { "gpt-4o": { budget: { usd: 1, reset: "daily" } } } } },
      }),
    );
    clock.at = MIDNIGHT - 1_000;
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, model: "smart" }));
    clock.at = MIDNIGHT + 1_000;
    settled(await gate.settle(reservation, { model: "gpt-4o", costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("of a call that was sent again charges what was charged first, whatever limits there are since", async () => {
    const { gate, clock, put } = world(BUDGET);
    const call = { ...CALL, requestId: "r" };
    passed(await gate.admit(KEY, call));
    put(limited({ key: { rpm: 5, budget: { usd: 1, reset: "daily" } } }));
    clock.at += 60_000;
    const { reservation } = passed(await gate.admit(KEY, call));
    settled(await gate.settle(reservation, { costUsd: 0.3 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.3 * USD });
  });
});

describe("a check", () => {
  it("of counters elsewhere tells the ledger of no call", async () => {
    const ledger = createLedger({ sink: memoryLedgerSink() });
    const { gate } = world(BUDGET, { ledger, counters: elsewhere() });
    passed(await gate.check(KEY, CALL));
    expect(ledger.status().pending).toBe(0);
    passed(await gate.admit(KEY, CALL));
    expect(ledger.status().pending).toBe(1);
  });
});

it.each([
  ["in memory", memoryCounters],
  ["elsewhere", elsewhere],
])(
  "a settle tells when an overdraft is over, though the clock has gone back since: counters %s",
  async (_, make) => {
    const { gate, clock } = world(limited({ key: { tpm: 100 } }), { counters: make() });
    const { reservation } = passed(
      await gate.admit(KEY, { model: "gpt-4o", inputTokens: 50, maxOutputTokens: 0 }),
    );
    clock.at += 45_000; // by a call of somebody else, so that the reservation knows nothing of it
    passed(await gate.admit(KEY, { model: "gpt-4o", inputTokens: 1, maxOutputTokens: 0 }));
    clock.at -= 30_000;
    const { overdraft } = settled(await gate.settle(reservation, { inputTokens: 120, outputTokens: 0 }));
    const { resetsAt } = await readingOf(gate, "tokens");
    expect(overdraft[0]?.resetsAt).toBe(resetsAt);
    clock.at = (resetsAt ?? 0) - 1;
    expect((await readingOf(gate, "tokens")).used).toBeGreaterThan(0);
    clock.at += 1;
    expect((await readingOf(gate, "tokens")).used).toBe(0);
  },
);

it("a reservation whose budget has no period any more is a mistake of the caller, and nothing is settled", async () => {
  const { gate } = world(BUDGET);
  const { reservation } = passed(await gate.admit(KEY, CALL));
  const told = JSON.parse(JSON.stringify(reservation));
  told.charges.periods = [null];
  await expect(gate.settle(told, {})).rejects.toThrow(ValidationError);
  settled(await gate.settle(reservation, {}));
});

it("a reservation that names a count twice is a mistake of the caller, and gives nothing back twice", async () => {
  const { gate } = world(limited({ key: { tpm: 1_000 } }));
  const { reservation } = passed(await gate.admit(KEY, CALL));
  const told = JSON.parse(JSON.stringify(reservation));
  for (const list of Object.values<unknown[]>(told.charges)) list.push(...list);
  const nothing = { inputTokens: 0, outputTokens: 0 };
  await expect(gate.settle(told, nothing)).rejects.toThrow(/^reservation\.charges: each count once$/);
  expect((await readingOf(gate, "tokens")).used).toBe(20);
  settled(await gate.settle(reservation, nothing));
  expect((await readingOf(gate, "tokens")).used).toBe(0);
});
