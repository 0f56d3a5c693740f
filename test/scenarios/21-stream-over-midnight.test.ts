import { type Counters, createLedger, memoryCounters, memoryLedgerSink } from "tollgate";
import { describe, expect, it } from "vitest";
import type { ReadableSink } from "../../src/ledger/sink.js";
import { aChain, world } from "../gate/world.js";
import { counterAdapters } from "./adapters.js";
import { passed, readingOf, refusedBy, settled } from "./answers.js";
import { ledgerSinks } from "./ledger-sinks.js";

const everyCounters = await counterAdapters();

const KEY = { keyId: "k1" };
const BUDGET = { budget: { usd: 1, reset: "daily" as const } };

/** Each zone's midnight after a stream's start, the nights of both changes of the clock among them. */
const MIDNIGHTS: readonly (readonly [night: string, timeZone: string, midnight: string])[] = [
  ["an ordinary night", "UTC", "2026-05-16T00:00:00Z"],
  ["a night in Tokyo", "Asia/Tokyo", "2026-05-15T15:00:00Z"],
  ["the night before the short day in Berlin", "Europe/Berlin", "2026-03-28T23:00:00Z"],
  ["the night after the short day in Berlin", "Europe/Berlin", "2026-03-29T22:00:00Z"],
  ["the night after the long day in New York", "America/New_York", "2026-11-02T05:00:00Z"],
  ["a night whose midnight is skipped, in Cairo", "Africa/Cairo", "2026-04-23T22:00:00Z"],
];

describe.each(everyCounters)("a stream that starts before midnight and ends after it, %s", (_, make) => {
  it.each(MIDNIGHTS)("is paid by the day it started, on %s", async (_night, timeZone, at) => {
    const midnight = Date.parse(at);
    const { gate, clock } = world(aChain({ org: { timeZone }, key: { limits: BUDGET } }), {
      counters: make(),
    });
    clock.at = midnight - 60_000;
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.4 }));
    clock.at = midnight + 60_000;
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    expect(settled(await gate.settle(reservation, { costUsd: 0.9 })).charged.costNanoUsd).toBe(0.9e9);
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
  });

  it("asks the day it started for more, and is refused by that day's budget", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = world(aChain({ key: { limits: BUDGET } }), { counters: make() });
    clock.at = midnight - 60_000;
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.4 }));
    clock.at = midnight + 60_000;
    passed(await gate.extend(reservation, { costUsd: 0.6 }));
    expect(refusedBy(await gate.extend(reservation, { costUsd: 0.1 })).reason).toBe("budget_exceeded");
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
  });

  it("of many hours asks that day for more, and is refused by its budget, whatever was forgotten meanwhile", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const strangers = Array.from({ length: 20 }, (_, i) =>
      aChain({ org: { id: `other${i}` }, key: { id: `other${i}`, limits: { rpm: 9 } } }),
    );
    const { gate, clock } = world([aChain({ key: { limits: BUDGET } }), ...strangers], {
      counters: make(),
      reservationTtlMs: 3 * 86_400_000,
    });
    clock.at = midnight - 60_000;
    const [long, other] = [
      passed(await gate.admit(KEY, { costUsd: 0.5, model: "gpt-4o" })),
      passed(await gate.admit(KEY, { costUsd: 0.4, model: "gpt-4o" })),
    ];
    settled(await gate.settle(other.reservation, { costUsd: 0.4 }));
    clock.at = midnight + 71 * 3_600_000;
    for (const { key } of strangers)
      passed(await gate.admit({ keyId: key.id }, { costUsd: 0, model: "gpt-4o" }));
    expect(refusedBy(await gate.extend(long.reservation, { costUsd: 0.2 })).reason).toBe("budget_exceeded");
    passed(await gate.extend(long.reservation, { costUsd: 0.1 }));
  });

  it("is asked more of, and settled, in the day it was charged to, though the org has another time zone by then", async () => {
    const chain = (timeZone: string) => aChain({ org: { timeZone }, key: { limits: BUDGET } });
    const { gate, clock, put } = world(chain("UTC"), { counters: make(), cache: { maxAgeMs: 1 } });
    clock.at = Date.UTC(2026, 4, 15, 20);
    const move = (timeZone: string) => {
      put(chain(timeZone));
      clock.at += 1_000;
    };
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    move("Asia/Tokyo");
    passed(await gate.extend(reservation, { costUsd: 0.8 }));
    settled(await gate.settle(reservation, { costUsd: 0 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    move("UTC");
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0 });
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    expect(refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 })).reason).toBe(
      "budget_exceeded",
    );
  });

  it("gives it all back, though the clock was set back over midnight before it started", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = world(aChain({ key: { limits: BUDGET } }), { counters: make() });
    for (const at of [midnight - 60_000, midnight + 5_000]) {
      clock.at = at;
      passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    }
    clock.at = midnight - 5_000;
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.1 }));
    passed(await gate.extend(reservation, { costUsd: 0.8 }));
    settled(await gate.settle(reservation, { costUsd: 0 }));
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.1e9 });
    clock.at = midnight + 5_000;
    expect(await readingOf(gate, "cost")).toMatchObject({ used: 0.1e9 });
  });

  it("gives back to the day it started, and not to the new one, what it did not use", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = world(aChain({ key: { limits: BUDGET } }), { counters: make() });
    clock.at = midnight - 60_000;
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    clock.at = midnight + 1;
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.5 }));
    await gate.release(reservation);
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.5);
    expect(refusedBy(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.6 })).reason).toBe(
      "budget_exceeded",
    );
  });

  it("overdraws the day it started, and a spent day does not spoil the next", async () => {
    const midnight = Date.UTC(2026, 4, 16);
    const { gate, clock } = world(aChain({ key: { limits: BUDGET } }), { counters: make() });
    clock.at = midnight - 1;
    const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
    clock.at = midnight + 1;
    const { overdraft } = settled(await gate.settle(reservation, { costUsd: 3 }));
    expect(overdraft).toMatchObject([{ scope: "key", usd: { max: 1, used: 3 } }]);
    passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 1 }));
  });

  it.each(MIDNIGHTS)("is in the report of the day it started, on %s", async (_night, timeZone, at) => {
    await isReported(make(), memoryLedgerSink(), timeZone, Date.parse(at));
  });
});

describe.each(await ledgerSinks())("its report, with the ledger in %s", (_, make) => {
  it.each(MIDNIGHTS)("is that of the day it started, on %s", async (_night, timeZone, at) => {
    await isReported(memoryCounters(), await make(), timeZone, Date.parse(at));
  });
});

async function isReported(counters: Counters, sink: ReadableSink, timeZone: string, midnight: number) {
  const ledger = createLedger({ sink });
  const options = { counters, ledger };
  const { gate, clock } = world(aChain({ org: { timeZone }, key: { limits: BUDGET } }), options);
  const dayOf = (moment: number) =>
    new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short" }).format(moment);
  clock.at = midnight - 60_000;
  const { reservation } = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.4 }));
  clock.at = midnight;
  const next = passed(await gate.admit(KEY, { model: "gpt-4o", costUsd: 0.2 })).reservation;
  clock.at = midnight + 60_000;
  settled(await gate.settle(reservation, { costUsd: 0.9 }));
  settled(await gate.settle(next, { costUsd: 0.1 }));
  expect(await gate.reconcile({ orgId: "o1" })).toMatchObject({ budgets: 1, differences: [] });
  const span = { from: midnight - 3_600_000, to: midnight + 3_600_000 };
  const { rows } = await ledger.report({ org: "o1", ...span, groupBy: "day", timeZone });
  expect(rows.map(({ group, usd }) => [group, usd])).toEqual([
    [dayOf(midnight - 1), "0.9"],
    [dayOf(midnight), "0.1"],
  ]);
  expect(rows[1]?.startsAt).toBe(midnight);
  expect((await readingOf(gate, "cost")).usd?.used).toBe(0.1);
}
