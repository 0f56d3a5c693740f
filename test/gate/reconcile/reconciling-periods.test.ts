import {
  type Counters,
  CountersUnavailableError,
  createLedger,
  type GateOptions,
  memoryCounters,
  memoryLedgerSink,
  type ReserveRequest,
} from "tollgate";
import { describe, expect, it } from "vitest";
import { settledEvent } from "../../ledger/events.js";
import { passed, readingOf, settled } from "../../scenarios/answers.js";
import { elsewhere, limited, NOON, world } from "../world.js";

const KEY = { keyId: "k1" };
const CALL = { model: "gpt-4o", inputTokens: 10, maxOutputTokens: 10, costUsd: 0.1 };
const BUDGET = limited({ key: { budget: { usd: 1, reset: "daily" } } });
const MIDNIGHT = NOON + 12 * 3_600_000;

describe("reconcile", () => {
  const ORG = { orgId: "o1" };
  function accounting(options: object = {}, chain = BUDGET) {
    const sink = memoryLedgerSink();
    const clock = { at: NOON, now: () => clock.at };
    const open = (own: GateOptions = {}) => {
      const ledger = createLedger({ sink, clock });
      return { ...world(chain, { ledger, clock, unpriced: "free", ...options, ...own }), ledger };
    };
    return { sink, clock, open };
  }

  it("names a call as long as its reservation lives, be that longer than a day", async () => {
    const { clock, open } = accounting({ reservationTtlMs: 3 * 86_400_000 });
    const { gate } = open();
    const { id } = passed(await gate.admit(KEY, CALL)).reservation;
    clock.at += 2 * 86_400_000;
    expect(await gate.reconcile(ORG)).toMatchObject({ unended: [{ id, expired: false }] });
  });

  it("compares the budgets of a key of which the ledger has nothing but calls under way", async () => {
    const { open } = accounting();
    const { gate } = open();
    passed(await gate.admit(KEY, CALL));
    expect(await gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
  });

  it("compares a period with its own calls, whatever another process has admitted after its end", async () => {
    const { clock, open } = accounting();
    const [{ gate }, other] = [open(), open()];
    clock.at = MIDNIGHT;
    passed(await other.gate.admit(KEY, CALL));
    await other.ledger.flush();
    clock.at = MIDNIGHT - 1;
    settled(await gate.settle(passed(await gate.admit(KEY, CALL)).reservation, { costUsd: 0.1 }));
    expect(await gate.reconcile({ ...ORG, keyIds: ["k1"] })).toMatchObject({ budgets: 1, differences: [] });
  });

  it.each([
    ["is over midnight already", 1],
    ["is a month ahead", 31 * 86_400_000],
  ])(
    "finds no difference where the counters' clock %s: a call is of the day whose budget it was charged to",
    async (_what, aheadMs) => {
      const { sink, clock, open } = accounting();
      const { gate, ledger } = open({ counters: memoryCounters() });
      clock.at = MIDNIGHT - 1 + aheadMs;
      passed(await gate.admit(KEY, CALL)); // from here on, the counters' clock stands
      clock.at = MIDNIGHT - 1;
      const { reservation } = passed(await gate.admit(KEY, CALL));
      expect(reservation.reservedAt).toBe(MIDNIGHT - 1 + aheadMs);
      settled(await gate.settle(reservation, { costUsd: 0.2 }));
      await ledger.flush();
      expect(sink.events().map(({ admittedAt }) => admittedAt)).toEqual([
        MIDNIGHT - 1 + aheadMs,
        MIDNIGHT - 1,
      ]);
      expect(await gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
    },
  );

  it("compares the calls of a process whose clock is ahead, too, as long as they are in the period", async () => {
    const { clock, open } = accounting({ counters: memoryCounters() });
    const [{ gate }, other] = [open(), open()];
    clock.at += 60_000;
    settled(await other.gate.settle(passed(await other.gate.admit(KEY, CALL)).reservation, { costUsd: 0.1 }));
    passed(await other.gate.admit(KEY, CALL));
    await other.ledger.flush();
    clock.at -= 60_000;
    expect(await gate.reconcile({ ...ORG, keyIds: ["k1"] })).toMatchObject({ budgets: 1, differences: [] });
  });

  it("passes over a key that is in the ledger alone", async () => {
    const { sink, open } = accounting();
    const { gate } = open();
    await sink.write([settledEvent({ keyId: "gone" })]);
    passed(await gate.admit(KEY, CALL));
    expect(await gate.reconcile(ORG)).toMatchObject({ budgets: 1, differences: [] });
  });

  it("names a call of days ago that nobody settled, if a period goes back so far, else one of the last day", async () => {
    const budget = { usd: 1, reset: "monthly" as const };
    for (const [chain, age, isNamed] of [
      [limited({ key: { budget } }), 3 * 24, true],
      [limited({}), 23, true],
      [limited({}), 25, false],
    ] as const) {
      const { clock, open } = accounting({}, chain);
      const { gate } = open();
      const { id } = passed(await gate.admit(KEY, CALL)).reservation;
      clock.at += age * 3_600_000;
      const { unended } = await gate.reconcile(ORG);
      expect(unended.map((call) => call.id)).toEqual(isNamed ? [id] : []);
    }
  });

  it("adds no more for a call under way than the counters hold of it, be an extension lost there", async () => {
    const store = memoryCounters();
    const forgets: Counters = {
      ...elsewhere(() => {}, store),
      reserve: (request: ReserveRequest) =>
        store.reserve(request.extend ? { ...request, dryRun: true } : request),
    };
    const { open } = accounting();
    const { gate } = open({ counters: forgets });
    const lost = open(); // whose counts are not here
    settled(await lost.gate.settle(passed(await lost.gate.admit(KEY, CALL)).reservation, { costUsd: 0.1 }));
    await lost.ledger.flush();
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.3 }));
    passed(await gate.extend(reservation, { costUsd: 0.2 }));
    await gate.reconcile({ ...ORG, rebuild: true });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.4);
  });

  it("adds nothing of a call that was extended and settled while the counts were compared", async () => {
    const store = memoryCounters();
    const counters: Counters = { ...elsewhere(() => {}, store), reserve };
    const { open } = accounting();
    const { gate } = open({ counters });
    const lost = open(); // whose counts are not here
    settled(await lost.gate.settle(passed(await lost.gate.admit(KEY, CALL)).reservation, { costUsd: 0.1 }));
    await lost.ledger.flush();
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.3 }));
    async function reserve(request: ReserveRequest) {
      if (!request.dryRun) return store.reserve(request);
      passed(await gate.extend(reservation, { costUsd: 0.2 }));
      const held = await store.reserve(request);
      settled(await gate.settle(reservation, { costUsd: 0.2 }));
      return held;
    }
    await gate.reconcile({ ...ORG, rebuild: true });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.3);
  });

  it("adds a call that has expired once, though the clock of the counters is behind and they still hold it", async () => {
    const store = memoryCounters();
    const behind = <Request extends { now: number }>(request: Request) => ({
      ...request,
      now: request.now - 60_000,
    });
    const counters: Counters = {
      ...elsewhere(() => {}, store),
      reserve: (request) => store.reserve(behind(request)),
      read: (query) => store.read(behind(query)),
    };
    const { clock, open } = accounting();
    const { gate } = open({ counters });
    const lost = open(); // whose counts are not here
    settled(await lost.gate.settle(passed(await lost.gate.admit(KEY, CALL)).reservation, { costUsd: 0.1 }));
    await lost.ledger.flush();
    const { reservation } = passed(await gate.admit(KEY, { ...CALL, costUsd: 0.3 }));
    clock.at = reservation.expiresAt;
    await gate.reconcile({ ...ORG, rebuild: true, withExpired: true });
    expect((await readingOf(gate, "cost")).usd?.used).toBe(0.4);
  });

  it("rejects where the counters can be read, but do not take what was counted without them", async () => {
    const reserve = () => Promise.reject(new Error("ECONNREFUSED"));
    const { open } = accounting({ counters: { ...elsewhere(), reserve }, onCountersDown: "local" });
    const { gate } = open();
    passed(await gate.admit(KEY, CALL));
    await expect(gate.reconcile(ORG)).rejects.toThrow(CountersUnavailableError);
  });

  it("rejects where the counters do not take what it raises, rather than tell of a rebuild that was none", async () => {
    const store = memoryCounters();
    const reserve = (request: ReserveRequest) =>
      request.charges.length > 0 ? Promise.reject(new Error("ECONNREFUSED")) : store.reserve(request);
    const { sink, open } = accounting({ counters: { ...elsewhere(() => {}, store), reserve } });
    await sink.write([settledEvent()]);
    await expect(open().gate.reconcile({ ...ORG, rebuild: true })).rejects.toThrow(CountersUnavailableError);
  });

  it("answers though the counters do not end its turn to rebuild", async () => {
    const settle = () => Promise.reject(new Error("ECONNREFUSED"));
    const { open } = accounting({ counters: { ...elsewhere(), settle } });
    const { gate } = open();
    passed(await gate.admit(KEY, CALL));
    expect(await gate.reconcile({ ...ORG, rebuild: true })).toMatchObject({ differences: [] });
  });

  it("rebuilds a day without what calls of the day before hold", async () => {
    const budget = [
      { usd: 1, reset: "daily" as const },
      { usd: 9, reset: "monthly" as const },
    ];
    const { clock, open } = accounting({}, limited({ key: { budget } }));
    const { gate, ledger } = open();
    clock.at = MIDNIGHT - 60_000;
    passed(await gate.admit(KEY, { ...CALL, costUsd: 0.3 })); // of yesterday, and open
    clock.at = MIDNIGHT + 60_000;
    const lost = open(); // whose counts are not here
    const { reservation } = passed(await lost.gate.admit(KEY, { ...CALL, costUsd: 0.5 }));
    settled(await lost.gate.settle(reservation, { costUsd: 0.5 }));
    await Promise.all([ledger.flush(), lost.ledger.flush()]);
    await gate.reconcile({ ...ORG, rebuild: true });
    const readings = await gate.usage({ ...ORG, keyId: "k1" });
    expect(readings.map(({ window, usd }) => [window, usd?.used])).toEqual([
      ["daily", 0.5],
      ["monthly", 0.8],
    ]);
  });
});
