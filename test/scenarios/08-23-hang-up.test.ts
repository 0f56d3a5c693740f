import { type Counters, createLedger, memoryCounters, memoryLedgerSink } from "tollgate";
import { describe, expect, it } from "vitest";
import type { ReadableSink } from "../../src/ledger/sink.js";
import { limited, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";
import { ledgerSinks } from "./ledger-sinks.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };

/** Reserves 0.0025 + 0.04 USD. */
const CALL = { model: "gpt-4o", inputTokens: 1_000, maxOutputTokens: 4_000 };
const RESERVED_USD = 0.0425;

/** The client is gone after twelve tokens of the answer: 0.0025 + 0.00012 USD. */
const SEEN = { outputTokens: 12 };
const SEEN_USD = 0.00262;

describe.each(everyCounters)("a client that hangs up in the middle of the answer, %s", (_, make) => {
  const budgeted = () =>
    world(limited({ key: { budget: { usd: 1, reset: "monthly" }, inFlight: 30 } }), { counters: make() });

  it("leaks no reservation: a hundred of them and the key is not refused at about 0 USD spent (litellm#27639, PR 30522)", async () => {
    const { gate } = budgeted();
    const batch = async () => {
      const admissions = await Promise.all(Array.from({ length: 10 }, () => gate.admit(KEY, CALL)));
      await Promise.all(admissions.map((one) => gate.settle(passed(one).reservation, SEEN)));
    };
    for (let i = 0; i < 10; i++) await batch();
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.262);
    expect(await readingOf(gate, "inFlight")).toMatchObject({ used: 0 });
    passed(await gate.admit(KEY, CALL));
  });

  it("pays for the input and for what was sent of the answer, not nothing (litellm#14457)", async () => {
    const { gate } = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    expect((await readingOf(gate, "cost")).usd?.used).toBe(RESERVED_USD);
    const { charged } = settled(await gate.settle(reservation, SEEN));
    expect(charged).toEqual({
      requests: 1,
      inputTokens: 1_000,
      outputTokens: 12,
      tokens: 1_012,
      costNanoUsd: SEEN_USD * 1e9,
    });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(SEEN_USD);
  });

  it("pays the estimate where the gateway saw nothing at all", async () => {
    const { gate } = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    settled(await gate.settle(reservation, {}));
    expect((await readingOf(gate, "cost")).usd?.used).toBe(RESERVED_USD);
  });

  it("pays nothing where the call was never sent upstream", async () => {
    const { gate } = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    settled(await gate.release(reservation));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("is settled once, although both the hang-up and the end of the stream settle it", async () => {
    const { gate } = budgeted();
    const { reservation } = passed(await gate.admit(KEY, CALL));
    const [first, second] = await Promise.all([
      gate.settle(reservation, SEEN),
      gate.settle(reservation, { outputTokens: 4_000 }),
    ]);
    expect([first.settled, second.settled]).toEqual([true, false]);
    expect(second).toEqual({ settled: false, reason: "already_settled" });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(SEEN_USD);
  });

  it("whose gateway crashes leaves the estimate charged, and the key out of budget is told so", async () => {
    const { gate } = world(limited({ key: { budget: { usd: 0.08, reset: "monthly" } } }), {
      counters: make(),
    });
    passed(await gate.admit(KEY, CALL));
    expect(refusedBy(await gate.admit(KEY, CALL)).message).toContain("0.0425 USD");
  });

  it("is in the ledger with what was seen, as a hang-up, and its report says what the counters hold", async () => {
    await isReported(make(), memoryLedgerSink());
  });

  it("is in the ledger with what it costs where no budget counts that, too", async () => {
    const ledger = createLedger({ sink: memoryLedgerSink() });
    const { gate, clock } = world(limited({ key: { rpm: 9 } }), { counters: make(), ledger });
    const silent = passed(await gate.admit(KEY, CALL)).reservation;
    settled(await gate.settle(silent, { disconnected: true }));
    passed(await gate.admit(KEY, CALL)); // and nobody tells how it ended
    await ledger.flush();
    const query = { org: "o1", from: clock.at, to: clock.at + 1, groupBy: "model" } as const;
    const { total } = await ledger.report(query);
    expect(total.usd).toBe(String(2 * RESERVED_USD));
  });
});

describe.each(await ledgerSinks())("a hang-up, with the ledger in %s", (_, make) => {
  it("is reported with what was seen, and what the counters hold", async () => {
    await isReported(memoryCounters(), await make());
  });
});

async function isReported(counters: Counters, sink: ReadableSink) {
  const ledger = createLedger({ sink });
  const chain = limited({ key: { budget: { usd: 1, reset: "monthly" } } });
  const { gate, clock } = world(chain, { counters, ledger });
  const hungUp = passed(await gate.admit(KEY, CALL)).reservation;
  settled(await gate.settle(hungUp, { ...SEEN, disconnected: true }));
  const silent = passed(await gate.admit(KEY, CALL)).reservation;
  settled(await gate.settle(silent, { disconnected: true }));
  const neverSent = passed(await gate.admit(KEY, CALL)).reservation;
  settled(await gate.release(neverSent));
  await ledger.flush();
  const query = { org: "o1", from: clock.at, to: clock.at + 1, groupBy: "model" } as const;
  const { rows } = await ledger.report(query);
  expect(rows).toMatchObject([
    { group: "gpt-4o", calls: 2, disconnected: 2, released: 1, outputTokens: 4_012 },
  ]);
  expect(rows[0]?.costNanoUsd).toBe((await readingOf(gate, "cost")).used);
  expect(rows[0]?.usd).toBe(String(SEEN_USD + RESERVED_USD));
}
