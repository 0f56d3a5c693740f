import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import Database from "libsql";
import {
  createLedger,
  type LedgerEvents,
  type LedgerOptions,
  LedgerUnavailableError,
  memoryLedgerSink,
  type SumQuery,
  type UsageEvent,
  ValidationError,
} from "tollgate";
import { sqliteLedgerSink } from "tollgate/sqlite";
import { describe, expect, it, vi } from "vitest";
import { backoffMs } from "../../src/ledger/backoff.js";
import { usageEventOf } from "../../src/ledger/usage-event.js";
import { eventually } from "../eventually.js";
import { aCall, anEnd, NOON, settledEvent } from "./events.js";

/** A sink whose writes wait for a hand, or fail for as long as it says. */
function sinkByHand() {
  const kept = memoryLedgerSink();
  const writes: { readonly events: readonly UsageEvent[]; end(error?: Error): void }[] = [];
  const write = (events: readonly UsageEvent[]) =>
    new Promise<void>((resolve, reject) => {
      writes.push({
        events,
        end: (error) => (error ? reject(error) : resolve(kept.write(events))),
      });
    });
  return { kept, writes, sink: { ...kept, write } };
}

const quick: Omit<LedgerOptions, "sink"> = { maxDelayMs: 1, wait: async () => {}, random: () => 0 };
const settle = (ledger: ReturnType<typeof createLedger>, id: string) => ledger.closed(aCall({ id }), anEnd());
const idsOf = (events: readonly UsageEvent[]) => events.map(({ id }) => id);

describe("a ledger", () => {
  it("writes every call that has ended, with what it has used and how it ended", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ sink });
    const actual = { model: "gpt-4o-2026", cachedInputTokens: 5, reasoningTokens: 7 };
    ledger.closed(aCall({ tags: { team: "red" } }), anEnd({ outcome: "disconnected", actual }));
    await ledger.flush();
    expect(sink.events()).toEqual([
      {
        id: "r1",
        outcome: "disconnected",
        admittedAt: NOON,
        expiresAt: NOON + 3_600_000,
        endedAt: NOON + 1_000,
        ...{ orgId: "o1", projectId: "p1", userId: "u1", keyId: "k1" },
        ...{ model: "gpt-4o-2026", requested: "gpt-4o", countedAs: "gpt-4o", mcp: false, byok: false },
        ...{ inputTokens: 1_000, cachedInputTokens: 5, cacheWriteTokens: 0, cacheWrite1hTokens: 0 },
        ...{ audioInputTokens: 0, imageInputTokens: 0, audioOutputTokens: 0, imageOutputTokens: 0 },
        ...{ outputTokens: 100, reasoningTokens: 7, costNanoUsd: 2_000_000 },
        tags: { team: "red" },
      },
    ]);
  });

  it("writes a call to an MCP server under that server, whatever model its end names", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ ...quick, sink });
    const server = { requested: "github", model: undefined, models: ["github"] };
    ledger.closed(aCall(server), anEnd({ actual: { model: "gpt-4o" } }));
    await ledger.flush();
    expect(sink.events()).toMatchObject([{ model: "github", countedAs: "github", mcp: true }]);
  });

  it("writes none of what a released call was said to have of parts, images or searches", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ ...quick, sink });
    const parts = { cacheWriteTokens: 5, audioInputTokens: 6, audioOutputTokens: 7 };
    const nothing = { inputTokens: 0, outputTokens: 0, costNanoUsd: 0 };
    ledger.closed(aCall({ parts }), anEnd({ outcome: "released", ...nothing }));
    await ledger.flush();
    expect(sink.events()).toMatchObject([
      { outcome: "released", cacheWriteTokens: 0, audioInputTokens: 0, audioOutputTokens: 0 },
    ]);
  });

  it("writes the parts that a usage named only of a whole that the actual does not give", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ ...quick, sink });
    const input = { cacheWriteTokens: 5, cacheWrite1hTokens: 4, audioInputTokens: 3, imageInputTokens: 2 };
    const output = { audioOutputTokens: 7, imageOutputTokens: 6 };
    const none = (parts: object) => Object.fromEntries(Object.keys(parts).map((kind) => [kind, 0]));
    const parts = { ...input, ...output };
    ledger.closed(aCall({ id: "a", parts }), anEnd({ actual: { inputTokens: 1_000 } }));
    ledger.closed(aCall({ id: "b", parts }), anEnd({ actual: { outputTokens: 100 } }));
    const seen = Object.fromEntries(Object.keys(parts).map((kind, i) => [kind, 10 + i]));
    ledger.closed(aCall({ id: "c", parts }), anEnd({ actual: seen }));
    await ledger.flush();
    expect(sink.events()).toMatchObject([
      { id: "a", ...none(input), ...output },
      { id: "b", ...input, ...none(output) },
      { id: "c", ...seen },
    ]);
  });

  it("writes a call as it was when it began and ended, whatever its caller does to it after that", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ sink, closeTimeoutMs: 50 });
    const redacted = (call: ReturnType<typeof aCall>, ...ends: ReturnType<typeof anEnd>[]) => {
      const texts = { orgId: "-", projectId: "-", userId: "-", keyId: "-", requested: "-", model: "-" };
      Object.assign(call.tags ?? {}, { team: "-" });
      Object.assign(call.parts ?? {}, { audioInputTokens: 0 });
      Object.assign(call, texts, { models: undefined, tags: undefined, parts: undefined });
      for (const { actual } of ends) Object.assign(actual, { model: "-", reasoningTokens: 0 });
    };
    const begun = () => aCall({ id: "begun", tags: { team: "red" }, parts: { audioInputTokens: 6 } });
    const ended = () => aCall({ id: "ended", tags: { team: "red" } });
    const anAnswer = () => anEnd({ actual: { model: "gpt-4o-2026", reasoningTokens: 7 } });
    const [first, second, end] = [begun(), ended(), anAnswer()];
    ledger.opened(first);
    ledger.closed(second, end);
    redacted(first);
    redacted(second, end);
    await ledger.flush();
    expect(sink.events()).toEqual([usageEventOf(begun(), undefined), usageEventOf(ended(), anAnswer())]);
  });

  it("gives a sink that changes what it was given the same events again", async () => {
    const writes: string[] = [];
    const ledger = createLedger({
      ...quick,
      sink: async (events) => {
        writes.push(JSON.stringify(events));
        for (const event of events) Object.assign(event.tags, { team: "-" });
        for (const event of events) Object.assign(event, { orgId: "-", tags: {} });
        if (writes.length === 1) throw new Error("down");
      },
    });
    ledger.closed(aCall({ tags: { team: "red" } }), anEnd());
    await ledger.flush();
    expect(writes[1]).toBe(writes[0]);
    expect(writes[0]).toContain('{"team":"red"}');
  });

  it("reports days as they come, in whatever order their calls were written", async () => {
    const sink = memoryLedgerSink();
    const ledger = createLedger({ ...quick, sink });
    const DAY_MS = 86_400_000;
    const moments = [NOON + 2 * DAY_MS, NOON, NOON + DAY_MS];
    await sink.write(moments.map((reservedAt, i) => settledEvent({ id: `r${i}`, reservedAt })));
    const { rows } = await ledger.report({ org: "o1", from: 0, to: NOON + 9 * DAY_MS, groupBy: "day" });
    expect(rows.map(({ group }) => group)).toEqual(["2026-05-15", "2026-05-16", "2026-05-17"]);
  });

  it("reports days of five years, which have more quarters of an hour than a function takes arguments", async () => {
    const [kept, QUARTER_MS, count] = [memoryLedgerSink(), 900_000, 5 * 365 * 96];
    await kept.write([settledEvent()]);
    const sum = async ({ by: _, ...query }: SumQuery) => {
      const totals = await kept.sum({ ...query, by: [] });
      const quarters = Array.from({ length: count }, (_, i) => [String(i * QUARTER_MS)]);
      return totals.flatMap((total) => quarters.map((group) => ({ ...total, group })));
    };
    const ledger = createLedger({ sink: { ...kept, sum } });
    const report = await ledger.report({ org: "o1", from: 0, to: NOON + 1, groupBy: "day" });
    expect(report.rows).toHaveLength(5 * 365);
    expect(report.total.calls).toBe(count);
  });

  it("lets calls pass while it makes a report with a row for each of many keys, also from the rows of a database", async () => {
    const keyIds = Array.from({ length: 5_000 }, (_, i) => `k${i}`);
    const kept = memoryLedgerSink();
    await kept.write(keyIds.map((keyId) => settledEvent({ id: keyId, keyId })));
    const query = { orgId: "o1", from: 0, to: NOON + 1, now: NOON, by: ["keyId"] } as const;
    const sums = await kept.sum(query);
    const inMemory = { ...kept, sum: async () => sums };
    const database = sqliteLedgerSink({ database: new Database(":memory:") });
    await database.write(kept.events());
    for (const [work, turns] of [
      [
        () => createLedger({ sink: inMemory }).report({ org: "o1", from: 0, to: NOON + 1, groupBy: "key" }),
        15,
      ],
      [() => database.sum(query), 5],
    ] as const) {
      let passed = 0;
      let isDone = false;
      const working = work().finally(() => {
        isDone = true;
      });
      while (!isDone) {
        await new Promise((resolve) => setImmediate(resolve));
        passed++;
      }
      await working;
      expect(passed).toBeGreaterThanOrEqual(turns);
    }
  });

  it("goes by whole milliseconds, whatever its clock gives: no database takes others", async () => {
    const sum = vi.fn(async () => []);
    const clock = { now: () => NOON + 0.75 };
    const full = vi.fn();
    const sink = { ...memoryLedgerSink(), sum, write: () => new Promise<void>(() => {}) };
    const ledger = createLedger({ sink, clock, maxPending: 1 });
    ledger.on("full", full);
    await ledger.report({ org: "o1", from: 0, to: NOON, groupBy: "model" });
    expect(sum).toHaveBeenCalledWith(expect.objectContaining({ now: NOON }));
    settle(ledger, "a");
    settle(ledger, "b");
    expect(full).toHaveBeenCalledWith(expect.objectContaining({ at: NOON }));
  });

  it("tells of no wait below zero where its clock is set back", () => {
    const clock = { at: NOON, now: () => clock.at };
    const ledger = createLedger({ sink: () => new Promise(() => {}), clock });
    settle(ledger, "a");
    clock.at -= 5_000;
    expect(ledger.status()).toMatchObject({ pending: 1, lagMs: 0 });
  });

  it("is behind with the end of a call only since that was told, once the sink has its beginning", async () => {
    const { sink, writes } = sinkByHand();
    const clock = { at: NOON, now: () => clock.at };
    const ledger = createLedger({ ...quick, sink, clock });
    ledger.opened(aCall({ id: "a" }));
    await eventually(() => expect(writes).toHaveLength(1));
    clock.at += 20_000;
    settle(ledger, "a");
    clock.at += 1_000;
    settle(ledger, "b");
    expect(ledger.status()).toMatchObject({ pending: 2, lagMs: 21_000 });
    writes[0]?.end();
    await eventually(() => expect(writes).toHaveLength(2));
    expect(ledger.status()).toMatchObject({ pending: 2, lagMs: 1_000 });
    const flushed = ledger.flush();
    writes[1]?.end();
    await eventually(() => expect(writes).toHaveLength(3));
    writes[2]?.end();
    await flushed;
  });

  it("is as far behind as with what it was told first of a call, however that went on", async () => {
    const clock = { at: NOON, now: () => clock.at };
    const ledger = createLedger({ sink: memoryLedgerSink(), clock });
    ledger.opened(aCall());
    clock.at += 1_000;
    ledger.opened(aCall({ costNanoUsd: 20_000_000 }));
    expect(ledger.status().lagMs).toBe(1_000);
    ledger.closed(aCall(), anEnd());
    expect(ledger.status().lagMs).toBe(1_000);
    await ledger.close();
  });

  it("masks what may be a token in every text that a caller makes up", async () => {
    const token = `sk-tg-${"x1".repeat(25)}`;
    const sink = memoryLedgerSink();
    const ledger = createLedger({ sink });
    const call = aCall({ requested: token, model: token, models: [token], tags: { [token]: token } });
    ledger.closed(call, anEnd({ actual: { model: token } }));
    await ledger.flush();
    expect(sink.events()).toHaveLength(1);
    expect(JSON.stringify(sink.events())).not.toContain("x1x1x1");
  });

  it("writes in batches of at most `maxBatch`, one after the other", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxBatch: 2 });
    for (const id of ["a", "b", "c"]) settle(ledger, id);
    const flushed = ledger.flush();
    await eventually(() => expect(writes).toHaveLength(1));
    expect(idsOf(writes[0]?.events ?? [])).toEqual(["a", "b"]);
    writes[0]?.end();
    await eventually(() => expect(writes).toHaveLength(2));
    expect(idsOf(writes[1]?.events ?? [])).toEqual(["c"]);
    writes[1]?.end();
    await flushed;
  });

  it("keeps an event until the sink has acknowledged it, and tries again until then", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    const failing: LedgerEvents["failing"][] = [];
    ledger.on("failing", (event) => failing.push(event));
    settle(ledger, "a");
    const flushed = ledger.flush();
    for (let i = 0; i < 3; i++) {
      await eventually(() => expect(writes).toHaveLength(i + 1));
      expect(ledger.status()).toMatchObject({ pending: 1, failures: i });
      writes[i]?.end(new Error("down"));
    }
    await eventually(() => expect(writes).toHaveLength(4));
    writes[3]?.end();
    await flushed;
    expect(idsOf(kept.events())).toEqual(["a"]);
    expect(ledger.status()).toMatchObject({ pending: 0, failures: 0, lagMs: 0 });
    expect(failing.map(({ failures, pending }) => [failures, pending])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it("waits longer after each failure, to a bound, and never as long as another process", async () => {
    const waits: number[] = [];
    let left = 8;
    const ledger = createLedger({
      maxDelayMs: 1,
      retry: { baseMs: 10, maxMs: 200 },
      random: () => 0.5,
      wait: async (ms) => waits.push(ms),
      sink: async () => {
        if (left-- > 0) throw new Error("down");
      },
    });
    settle(ledger, "a");
    await ledger.flush();
    expect(waits).toEqual([8, 15, 30, 60, 120, 150, 150, 150]);
    expect(backoffMs({ baseMs: 10, maxMs: 200 }, 1, 0)).toBe(5);
    expect(backoffMs({ baseMs: 10, maxMs: 200 }, 1_000, 0.999)).toBe(200);
    expect(backoffMs({ baseMs: 1, maxMs: 2 ** 31 - 1 }, 10_000, 0)).toBe(2 ** 30);
  });

  it("writes 500 events at once or after a second, holds 100,000 and ends a flush after ten seconds by default", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const { sink, writes } = sinkByHand();
      const ledger = createLedger({ sink });
      const sizes = () => writes.map(({ events }) => events.length);
      for (let i = 0; i < 501; i++) settle(ledger, `r${i}`);
      // What makes batches may be loaded only now.
      while (writes.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(sizes()).toEqual([500]);
      writes[0]?.end();
      await vi.advanceTimersByTimeAsync(999);
      expect(sizes()).toEqual([500]);
      await vi.advanceTimersByTimeAsync(1);
      expect(sizes()).toEqual([500, 1]);
      for (let i = 501; i < 100_500; i++) settle(ledger, `r${i}`);
      expect(ledger.status()).toMatchObject({ pending: 100_000, dropped: 0 });
      settle(ledger, "more");
      expect(ledger.status()).toMatchObject({ pending: 100_000, dropped: 1 });
      const ended = vi.fn();
      ledger.flush().catch(ended);
      await vi.advanceTimersByTimeAsync(9_999);
      expect(ended).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(ended).toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
    }
  });

  it("waits from 100 ms to half a minute after failures by default, at random", async () => {
    const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
    const waits: number[] = [];
    const ledger = createLedger({
      maxDelayMs: 1,
      closeTimeoutMs: 1,
      wait: async (ms) => {
        if (waits.push(ms) === 11) random.mockReturnValue(0);
        await new Promise((resolve) => setImmediate(resolve));
      },
      sink: () => Promise.reject(new Error("down")),
    });
    settle(ledger, "a");
    await eventually(() => expect(waits.length).toBeGreaterThan(11));
    expect(waits.slice(0, 3)).toEqual([75, 150, 300]);
    expect(waits.slice(9, 12)).toEqual([22_500, 22_500, 15_000]);
    random.mockRestore();
    await expect(ledger.close()).rejects.toThrow(LedgerUnavailableError);
  });

  it("writes in its own async context: a batch has events of many calls", async () => {
    const caller = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const ledger = createLedger({
      maxBatch: 1,
      sink: async () => {
        seen.push(caller.getStore());
        if (seen.length === 2) throw new Error("down");
      },
      retry: { baseMs: 1 },
    });
    settle(ledger, "r0"); // loads what makes batches
    await eventually(() => expect(seen).toHaveLength(1));
    caller.run("ada", () => settle(ledger, "r1"));
    await eventually(() => expect(seen).toHaveLength(3));
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  it("waits by itself after a failure where the `wait` of its caller fails", async () => {
    const { kept, writes, sink } = sinkByHand();
    const waited: unknown[] = [];
    const wait = () => Promise.reject(waited.push("failed"));
    const ledger = createLedger({ sink, maxDelayMs: 1, retry: { baseMs: 1 }, wait });
    settle(ledger, "r1");
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end(new Error("down"));
    await eventually(() => expect(writes).toHaveLength(2));
    writes[1]?.end();
    await ledger.flush();
    expect(waited).toHaveLength(1);
    expect(kept.events()).toHaveLength(1);
  });

  it("does not let one event that the sink can never take hold up the others", async () => {
    const kept: string[] = [];
    const ledger = createLedger({
      ...quick,
      maxBatch: 8,
      wait: () => new Promise((resolve) => setImmediate(resolve)),
      closeTimeoutMs: 50,
      sink: async (events) => {
        if (events.some(({ id }) => id === "poison")) throw new Error("refused");
        kept.push(...idsOf(events));
      },
    });
    const good = Array.from({ length: 40 }, (_, i) => `r${i}`);
    settle(ledger, "poison");
    for (const id of good) settle(ledger, id);
    await eventually(() => expect(kept.toSorted()).toEqual(good.toSorted()));
    await expect(ledger.close()).rejects.toThrow("1 usage event was not written");
  });

  it("lets no event wait for one that the sink has refused alone, nor shrinks their batches: it is tried again at a pace of its own", async () => {
    const kept: string[] = [];
    const resume: (() => void)[] = [];
    const writes: string[][] = [];
    let refused = 0;
    let isFixed = false;
    let isBusy = false;
    const ledger = createLedger({
      ...quick,
      maxBatch: 4,
      // Longer waits end by hand.
      wait: (ms, signal) =>
        new Promise<void>((resolve, reject) => {
          signal.addEventListener("abort", reject);
          if (ms > 200) resume.push(resolve);
          else setImmediate(resolve);
        }),
      sink: async (events) => {
        if (!isFixed && events.some(({ id }) => id === "poison")) {
          refused++;
          throw new Error("refused");
        }
        writes.push(idsOf(events));
        if (isBusy) {
          isBusy = false;
          throw new Error("busy");
        }
        kept.push(...idsOf(events));
      },
    });
    settle(ledger, "poison");
    await eventually(() => expect(resume).toHaveLength(1));
    const tries = refused;
    settle(ledger, "a");
    await eventually(() => expect(kept).toContain("a"));
    isBusy = true;
    for (const id of ["b", "c", "d"]) settle(ledger, id);
    await eventually(() => expect(kept).toContain("d"));
    expect(writes).toEqual([["a"], ["b", "c", "d"], ["b", "c"], ["d"]]);
    expect(refused).toBe(tries);
    resume[0]?.();
    await eventually(() => expect(refused).toBe(tries + 1));
    expect(ledger.status()).toMatchObject({ pending: 1, failures: tries });
    isFixed = true;
    await ledger.flush();
    expect(kept).toEqual(["a", "b", "c", "d", "poison"]);
    expect(ledger.status()).toMatchObject({ pending: 0, failures: 0 });
  });

  it("writes events that the sink refused together with others again: each may be fine by itself", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxBatch: 2 });
    for (const id of ["a", "b"]) settle(ledger, id);
    await eventually(() => expect(writes).toHaveLength(1));
    for (const id of ["c", "d"]) settle(ledger, id);
    await new Promise((resolve) => setImmediate(resolve)); // their batch is full, and due now
    writes[0]?.end(new Error("refused"));
    for (let i = 1; i < 4; i++) {
      await eventually(() => expect(writes).toHaveLength(i + 1));
      writes[i]?.end();
    }
    expect(writes.map(({ events }) => idsOf(events))).toEqual([["a", "b"], ["c"], ["d", "a"], ["b"]]);
  });

  it("writes an event that the sink refuses alone with no others, though a flush asks for it meanwhile", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    settle(ledger, "poison");
    await eventually(() => expect(writes).toHaveLength(1));
    settle(ledger, "a");
    const flushed = ledger.flush();
    writes[0]?.end(new Error("refused"));
    await eventually(() => expect(writes).toHaveLength(2));
    writes[1]?.end();
    await eventually(() => expect(writes).toHaveLength(3));
    writes[2]?.end();
    await flushed;
    expect(writes.map(({ events }) => idsOf(events))).toEqual([["poison"], ["a"], ["poison"]]);
    expect(idsOf(kept.events())).toEqual(["a", "poison"]);
  });

  it("law: keeps what was told last of every call, once, whatever writes the sink refuses, makes slowly or late, or forgets to answer", async () => {
    const write = fc.constantFrom(
      "takes",
      "takes slowly",
      "takes and fails",
      "takes late",
      "refuses",
      "hangs",
    );
    const told = fc.record({
      id: fc.constantFrom("a", "b", "c", "d", "e"),
      what: fc.constantFrom("opened", "extended", "closed", "flushed"),
      turns: fc.nat({ max: 2 }),
    });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await fc.assert(
      fc.asyncProperty(
        fc.array(told, { maxLength: 30 }),
        fc.array(write, { maxLength: 12 }),
        fc.constantFrom({ maxPending: 1_000 }, { maxPending: 3, whenFull: "block" } as const),
        fc.integer({ min: 1, max: 4 }),
        async (steps, answers, room, maxBatch) => {
          const writes = [...answers];
          const kept = memoryLedgerSink();
          const late: Promise<void>[] = [];
          const sink = async (events: readonly UsageEvent[]) => {
            const how = writes.shift() ?? "takes";
            const keep = () => kept.write(events);
            if (how === "takes late") late.push(turn().then(turn).then(keep));
            if (how === "takes late" || how === "hangs") await new Promise(() => {});
            if (how === "takes slowly") await turn().then(turn).then(turn);
            if (how !== "refuses") await keep();
            if (how === "refuses" || how === "takes and fails") throw new Error(how);
          };
          const ledger = createLedger({ ...quick, ...room, sink, maxBatch, wait: turn, writeTimeoutMs: 1 });
          const [open, ended] = [new Map<string, UsageEvent>(), new Map<string, UsageEvent>()];
          const settled: unknown[] = [];
          for (const { id, what, turns } of steps) {
            for (let i = 0; i < turns; i++) await turn();
            if (what === "flushed") ledger.flush().catch(() => {});
            if (what === "flushed" || ended.has(id)) continue;
            const call = aCall({ id, costNanoUsd: what === "opened" ? 1 : 2 });
            if (what === "closed") {
              ended.set(id, usageEventOf(call, anEnd()));
              settled.push(ledger.closed(call, anEnd()));
            } else {
              if (open.get(id)?.costNanoUsd !== 2) open.set(id, usageEventOf(call, undefined));
              ledger.opened(call);
            }
          }
          await ledger.close();
          await Promise.all([...settled, ...late]);
          const found = new Map(kept.events().map((event) => [event.id, event]));
          // Where there is little room, some beginnings are not recorded.
          const expected = "whenFull" in room ? ended : new Map([...open, ...ended]);
          for (const [id, event] of expected) expect(found.get(id)).toEqual(event);
          expect(ledger.status()).toMatchObject({ pending: 0, dropped: 0, failures: 0 });
        },
      ),
      { numRuns: 100 },
    );
  });

  it("writes the end of a call that came while its beginning was being written", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    ledger.opened(aCall());
    await eventually(() => expect(writes).toHaveLength(1));
    ledger.closed(aCall(), anEnd());
    writes[0]?.end();
    await eventually(() => expect(writes).toHaveLength(2));
    writes[1]?.end();
    await ledger.flush();
    expect(kept.events().map(({ outcome }) => outcome)).toEqual(["settled"]);
  });

  it("writes nothing more of a call that is begun once more, as it was, while its beginning is being written", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    ledger.opened(aCall());
    await eventually(() => expect(writes).toHaveLength(1));
    ledger.opened(aCall());
    writes[0]?.end();
    await ledger.flush();
    expect(writes).toHaveLength(1);
  });

  it("writes a call that ends before its batch once, and its first end only", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    ledger.opened(aCall());
    ledger.closed(aCall(), anEnd());
    ledger.closed(aCall(), anEnd({ costNanoUsd: 5 }));
    ledger.opened(aCall());
    await eventually(() => expect(writes).toHaveLength(1));
    expect(writes[0]?.events).toMatchObject([{ outcome: "settled", costNanoUsd: 2_000_000 }]);
    writes[0]?.end();
    await ledger.flush();
    expect(writes).toHaveLength(1);
  });

  it("keeps the extension of a call that is begun once more, by a repeated request", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    ledger.opened(aCall());
    ledger.opened(aCall({ outputTokens: 5_000, costNanoUsd: 50_000_000 }));
    ledger.opened(aCall());
    await eventually(() => expect(writes).toHaveLength(1));
    expect(writes[0]?.events).toMatchObject([{ outcome: "open", costNanoUsd: 50_000_000 }]);
    writes[0]?.end();
    await ledger.flush();
  });

  it("drops and counts what is too much, and says so once", async () => {
    const { sink, writes, kept } = sinkByHand();
    const clock = { at: NOON, now: () => clock.at };
    const ledger = createLedger({ ...quick, sink, maxPending: 4, clock });
    const full: LedgerEvents["full"][] = [];
    ledger.on("full", (event) => full.push(event));
    expect(settle(ledger, "a")).toBeUndefined();
    clock.at += 60_000;
    for (const id of ["b", "c", "d", "e", "f"]) expect(settle(ledger, id)).toBeUndefined();
    expect(full).toEqual([{ at: NOON + 60_000, pending: 4, dropped: 1, policy: "drop" }]);
    expect(ledger.status()).toEqual({ pending: 4, lagMs: 60_000, dropped: 2, failures: 0 });
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end();
    await ledger.flush();
    expect(idsOf(kept.events())).toEqual(["a", "b", "c", "d"]);
  });

  it("says so again when it is full again", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 2 });
    const full = vi.fn();
    ledger.on("full", full);
    for (const id of ["a", "b", "c"]) settle(ledger, id);
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end();
    await eventually(() => expect(ledger.status().pending).toBe(0));
    for (const id of ["d", "e", "f"]) settle(ledger, id);
    expect(full).toHaveBeenCalledTimes(2);
    await eventually(() => expect(writes).toHaveLength(2));
    writes[1]?.end();
  });

  it("tells a function that was added twice of each event twice, until each is removed", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 1 });
    const full = vi.fn();
    const remove = [ledger.on("full", full), ledger.on("full", full)];
    const fill = async (ids: readonly string[], write: number) => {
      for (const id of ids) settle(ledger, id);
      await eventually(() => expect(writes).toHaveLength(write));
      writes[write - 1]?.end();
      await eventually(() => expect(ledger.status().pending).toBe(0));
      return full.mock.calls.length;
    };
    expect(await fill(["a", "b"], 1)).toBe(2);
    remove[0]?.();
    remove[0]?.();
    expect(await fill(["c", "d"], 2)).toBe(3);
    remove[1]?.();
    expect(await fill(["e", "f"], 3)).toBe(3);
  });

  it("makes settles wait for room under `block`, and loses none of them", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 2, whenFull: "block" });
    const full = vi.fn();
    ledger.on("full", full);
    settle(ledger, "a");
    settle(ledger, "b");
    let hasRoom = false;
    const waiting = settle(ledger, "c")?.then(() => {
      hasRoom = true;
    });
    await eventually(() => expect(writes).toHaveLength(1));
    expect([hasRoom, full.mock.calls.length]).toEqual([false, 1]);
    writes[0]?.end();
    await waiting;
    await eventually(() => expect(writes).toHaveLength(2));
    writes[1]?.end();
    await ledger.flush();
    expect(idsOf(kept.events())).toEqual(["a", "b", "c"]);
    expect(ledger.status().dropped).toBe(0);
  });

  it("lets as many settles go on under `block` as there is room for, in their order, and is full once", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 2, whenFull: "block" });
    const full = vi.fn();
    ledger.on("full", full);
    const wentOn: string[] = [];
    const wait = (id: string) => settle(ledger, id)?.then(() => wentOn.push(id));
    for (const id of ["a", "b", "c", "d", "e"]) wait(id);
    const acknowledged = async () => {
      await eventually(() => expect(writes.length).toBeGreaterThan(0));
      const count = writes.length;
      writes[count - 1]?.end();
      await eventually(() => expect(writes.length).toBeGreaterThan(count));
      return [...wentOn];
    };
    expect(await acknowledged()).toEqual(["c", "d"]);
    wait("f");
    expect(await acknowledged()).toEqual(["c", "d", "e", "f"]);
    expect(full).toHaveBeenCalledTimes(1);
    writes.at(-1)?.end();
    await ledger.flush();
  });

  it("gives beginnings no more than half of the room: ends matter more", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 4 });
    for (const id of ["a", "b", "c", "d"]) ledger.opened(aCall({ id }));
    expect(ledger.status().pending).toBe(2);
    // An end takes the place of its beginning, and needs none of its own.
    for (const id of ["c", "d", "a"]) settle(ledger, id);
    expect(ledger.status()).toMatchObject({ pending: 4, dropped: 0 });
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end();
    await ledger.flush();
  });

  it("keeps the extension of a call it has, whatever room there is: what the call holds is told from it", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 2 });
    ledger.opened(aCall());
    ledger.opened(aCall({ costNanoUsd: 50_000_000 }));
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end();
    await ledger.flush();
    expect(kept.events()).toMatchObject([{ outcome: "open", costNanoUsd: 50_000_000 }]);
  });

  it("counts a call that has begun and ended once towards a full batch", async () => {
    const { sink, writes } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxDelayMs: 60_000, maxBatch: 3 });
    for (const id of ["a", "b", "c"]) {
      ledger.opened(aCall({ id }));
      settle(ledger, id);
    }
    await eventually(() => expect(writes).toHaveLength(1));
    expect(idsOf(writes[0]?.events ?? [])).toEqual(["a", "b", "c"]);
    writes[0]?.end();
    await ledger.flush();
  });

  it("flushes what is pending at that moment, whatever is recorded meanwhile", async () => {
    const kept = memoryLedgerSink();
    let recorded = 0;
    const record = () => settle(ledger, `r${recorded++}`);
    const ledger = createLedger({
      ...quick,
      maxBatch: 10,
      // With every event that is written there are two more.
      sink: async (events) => {
        await new Promise((resolve) => setImmediate(resolve));
        await kept.write(events);
        if (recorded < 5_000) for (const _ of events) [record(), record()];
      },
    });
    for (let i = 0; i < 20; i++) record();
    await ledger.flush();
    const ids = new Set(idsOf(kept.events()));
    expect(Array.from({ length: 20 }, (_, i) => ids.has(`r${i}`))).not.toContain(false);
    expect(ids.size).toBeLessThan(5_000);
  });

  it("flushes what waits for room under `block` as well", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxDelayMs: 60_000, maxPending: 1, whenFull: "block" });
    settle(ledger, "a");
    settle(ledger, "b");
    const flushed = ledger.flush().then(() => idsOf(kept.events()));
    for (let i = 0; i < 2; i++) {
      await eventually(() => expect(writes).toHaveLength(i + 1));
      writes[i]?.end();
    }
    expect(await flushed).toEqual(["a", "b"]);
  });

  it("rejects a flush that the sink does not let end, and one during which it is closed", async () => {
    const down = () => createLedger({ sink: () => Promise.reject(new Error("down")), closeTimeoutMs: 20 });
    const ledger = down();
    settle(ledger, "a");
    await expect(ledger.flush()).rejects.toThrow("1 usage event is not written yet");
    const closing = down();
    settle(closing, "a");
    const [closed, flushed] = await Promise.allSettled([closing.close(), closing.flush()]);
    expect([closed, flushed]).toMatchObject([
      { reason: expect.any(LedgerUnavailableError) },
      { reason: expect.any(LedgerUnavailableError) },
    ]);
    await expect(closing.flush()).rejects.toThrow(LedgerUnavailableError);
    const idle = createLedger({ sink: () => new Promise(() => {}) });
    await idle.close();
    await idle.flush(); // nothing is pending
  });

  it("writes at once what is pending when it is flushed or closed in a pause after a failure", async () => {
    for (const end of ["flush", "close"] as const) {
      const kept: string[] = [];
      let failures = 2;
      const ledger = createLedger({
        maxDelayMs: 1,
        retry: { baseMs: 3_600_000, maxMs: 3_600_000 },
        sink: async (events) => {
          if (failures-- > 0) throw new Error("down");
          kept.push(...idsOf(events));
        },
      });
      settle(ledger, "a");
      await eventually(() => expect(ledger.status().failures).toBe(1));
      await ledger[end](); // the first try fails again, the second does not wait for an hour
      expect(kept).toEqual(["a"]);
    }
  });

  it("tells of a sink that hangs as of one that fails, and goes on with the next write", async () => {
    const kept = memoryLedgerSink();
    let writes = 0;
    const sink = (events: readonly UsageEvent[]) =>
      writes++ === 0 ? new Promise<void>(() => {}) : kept.write(events);
    const ledger = createLedger({ ...quick, sink, writeTimeoutMs: 5 });
    const failing: LedgerEvents["failing"][] = [];
    ledger.on("failing", (event) => failing.push(event));
    settle(ledger, "a");
    await ledger.flush();
    expect(idsOf(kept.events())).toEqual(["a"]);
    expect(failing).toMatchObject([{ failures: 1, pending: 1, error: expect.any(LedgerUnavailableError) }]);
    expect(ledger.status()).toMatchObject({ pending: 0, failures: 0 });
  });

  it("halves its batches with every failure in a row, down to one, however many there are", async () => {
    const sizes: number[] = [];
    const ledger = createLedger({
      ...quick,
      maxBatch: 100,
      sink: async (events) => {
        sizes.push(events.length);
        if (sizes.length <= 70) throw new Error("down");
      },
    });
    for (let i = 0; i < 100; i++) settle(ledger, `r${i}`);
    await ledger.flush();
    expect(sizes.slice(0, 8)).toEqual([100, 50, 25, 12, 6, 3, 1, 1]);
    expect(new Set(sizes.slice(6, 70))).toEqual(new Set([1]));
  });

  it("tells how long an event waits for the sink, not how long its call was", async () => {
    const { sink, writes } = sinkByHand();
    const clock = { at: NOON + 600_000, now: () => clock.at };
    const ledger = createLedger({ ...quick, sink, clock });
    settle(ledger, "a"); // admitted ten minutes ago
    expect(ledger.status().lagMs).toBe(0);
    clock.at += 3_000;
    expect(ledger.status().lagMs).toBe(3_000);
    await eventually(() => expect(writes).toHaveLength(1));
    writes[0]?.end();
    await ledger.flush();
    expect(ledger.status().lagMs).toBe(0);
  });

  it("counts as dropped what comes after it was closed, also where it was full under `block`", async () => {
    const sink = () => Promise.reject(new Error("down"));
    const ledger = createLedger({ sink, maxPending: 1, whenFull: "block", closeTimeoutMs: 10 });
    settle(ledger, "a");
    const waiting = settle(ledger, "b");
    await expect(ledger.close()).rejects.toThrow("2 usage events were not written");
    await waiting; // nobody waits for ever
    expect(settle(ledger, "c")).toBeUndefined();
    ledger.opened(aCall({ id: "d" }));
    expect(ledger.status()).toMatchObject({ pending: 2, dropped: 1 });
  });

  it("takes no beginning of a call after it was closed, which would be pending for ever", async () => {
    const ledger = createLedger({ sink: memoryLedgerSink() });
    await ledger.close();
    ledger.opened(aCall());
    expect(ledger.status()).toMatchObject({ pending: 0, dropped: 0 });
    await ledger.flush();
  });

  it("rejects a flush at once when it is closed before all was written, and every later one", async () => {
    const down = () => Promise.reject(new Error("down"));
    const ledger = createLedger({ sink: down, closeTimeoutMs: 200 });
    let rejected = 0;
    const flush = () => ledger.flush().catch(() => rejected++);
    settle(ledger, "a");
    const closed = ledger.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const flushed = [flush()];
    await expect(closed).rejects.toThrow(LedgerUnavailableError);
    flushed.push(flush());
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejected).toBe(2); // neither has waited for `closeTimeoutMs`
    await Promise.all(flushed);
  });

  it("tries as seldom as before once nobody waits for a flush", async () => {
    const pauses: number[] = [];
    let flushing = false;
    const ledger = createLedger({
      ...quick,
      retry: { baseMs: 10_000, maxMs: 10_000 },
      closeTimeoutMs: 20,
      wait: async (ms) => {
        if (!flushing) pauses.push(ms);
        await new Promise((resolve) => setImmediate(resolve));
      },
      sink: () => Promise.reject(new Error("down")),
    });
    settle(ledger, "a");
    flushing = true;
    await expect(ledger.flush()).rejects.toThrow(LedgerUnavailableError);
    flushing = false;
    await eventually(() => expect(pauses.length).toBeGreaterThan(0));
    expect(new Set(pauses)).toEqual(new Set([5_000]));
    await expect(ledger.close()).rejects.toThrow(LedgerUnavailableError);
  });

  it("drains when it is closed, and closes the sink after that", async () => {
    const kept = memoryLedgerSink();
    const close = vi.fn(async () => expect(kept.events()).toHaveLength(2));
    const ledger = createLedger({ sink: { ...kept, close }, maxDelayMs: 60_000 });
    settle(ledger, "a");
    settle(ledger, "b");
    await Promise.all([ledger.close(), ledger.close()]);
    expect(close).toHaveBeenCalledTimes(1);
  });

  it("writes what is recorded while it is being closed as well", async () => {
    const { sink, writes, kept } = sinkByHand();
    const ledger = createLedger({ ...quick, sink });
    settle(ledger, "a");
    const closed = ledger.close();
    settle(ledger, "b");
    for (let i = 0; i < 2; i++) {
      await eventually(() => expect(writes).toHaveLength(i + 1));
      writes[i]?.end();
    }
    await closed;
    expect(idsOf(kept.events())).toEqual(["a", "b"]);
  });

  it("ends closing after `closeTimeoutMs`, and says how many events are lost", async () => {
    const ledger = createLedger({ sink: () => Promise.reject(new Error("down")), closeTimeoutMs: 20 });
    settle(ledger, "a");
    settle(ledger, "b");
    await expect(ledger.close()).rejects.toThrow(LedgerUnavailableError);
    await expect(ledger.close()).rejects.toThrow("2 usage events were not written");
  });

  it("waits for no next try any more once it is closed: a process could not end before that", async () => {
    const signals: AbortSignal[] = [];
    const ledger = createLedger({
      sink: () => Promise.reject(new Error("down")),
      maxDelayMs: 1,
      closeTimeoutMs: 20,
      wait: (_ms, signal) => {
        signals.push(signal);
        return new Promise<void>((_, reject) => signal.addEventListener("abort", reject));
      },
    });
    settle(ledger, "a");
    await expect(ledger.close()).rejects.toThrow(LedgerUnavailableError);
    expect(signals.map(({ aborted }) => aborted)).not.toContain(false);
  });

  it("says how many events are lost also where the sink cannot be closed", async () => {
    const down = () => Promise.reject(new Error("down"));
    const ledger = createLedger({ sink: { write: down, close: down }, closeTimeoutMs: 20 });
    settle(ledger, "a");
    await expect(ledger.close()).rejects.toThrow("1 usage event was not written");
    await expect(createLedger({ sink: { write: down, close: down } }).close()).rejects.toThrow("down");
  });

  it("waits at most `closeTimeoutMs` for a sink that does not close", async () => {
    const never = () => new Promise<void>(() => {});
    const hanging = createLedger({ sink: { ...memoryLedgerSink(), close: never }, closeTimeoutMs: 20 });
    settle(hanging, "a");
    await expect(hanging.close()).rejects.toThrow(LedgerUnavailableError);
    await expect(hanging.close()).rejects.toThrow("the sink was not closed within 20 ms");
  });

  it("takes any function as a sink; what cannot be read gives no report", async () => {
    const events: UsageEvent[] = [];
    const ledger = createLedger({
      sink: async (batch) => {
        events.push(...batch);
      },
    });
    settle(ledger, "a");
    await ledger.flush();
    expect(idsOf(events)).toEqual(["a"]);
    const query = { org: "o1", from: 0, to: NOON, groupBy: "model" } as const;
    await expect(ledger.report(query)).rejects.toThrow("options.sink: a sink that can be read");
    const { write, sum, open } = memoryLedgerSink();
    const readable = [
      { write, sum },
      { write, open },
      { write, sum, open },
    ].map((sink) => createLedger({ sink }));
    expect(readable.map((one) => one.readable !== undefined)).toEqual([false, false, true]);
  });

  it("keeps what a listener throws from the calls", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { sink } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 1 });
    ledger.on("full", () => {
      throw new Error("mine");
    });
    settle(ledger, "a");
    settle(ledger, "b");
    expect(warned).toHaveBeenCalledWith("A listener of the ledger threw: Error", "TollgateWarning");
    warned.mockRestore();
  });

  it("keeps what an async listener rejects with from the process, which that would end", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const { sink } = sinkByHand();
    const ledger = createLedger({ ...quick, sink, maxPending: 1 });
    ledger.on("full", async () => {
      throw new Error("mine");
    });
    settle(ledger, "a");
    settle(ledger, "b");
    await vi.waitFor(() =>
      expect(warned).toHaveBeenCalledWith("A listener of the ledger threw: Error", "TollgateWarning"),
    );
    warned.mockRestore();
  });

  it("refuses a listener to an event that there is not, and one that is no function", () => {
    const ledger = createLedger({ sink: async () => {} });
    const on = ledger.on as (event: string, listener?: unknown) => unknown; // what a caller without types does
    expect(() => on("nope", () => {})).toThrow(/^event: one of full, failing$/);
    expect(() => on("constructor", () => {})).toThrow(ValidationError);
    expect(() => on("full")).toThrow(/^listener: a function$/);
  });

  it("names the option that is wrong", () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{}, "options.sink"],
      [{ sink: {} }, "options.sink"],
      [{ sink: async () => {}, maxBatch: 0 }, "options.maxBatch"],
      [{ sink: async () => {}, maxPending: 10_000_001 }, "options.maxPending"],
      [{ sink: async () => {}, maxDelayMs: 2 ** 31 }, "options.maxDelayMs"],
      [{ sink: async () => {}, writeTimeoutMs: 0 }, "options.writeTimeoutMs"],
      [{ sink: async () => {}, closeTimeoutMs: 2 ** 31 }, "options.closeTimeoutMs"],
      [{ sink: async () => {}, retry: { baseMs: 0 } }, "options.retry.baseMs"],
      [{ sink: async () => {}, retry: { maxMs: 0.5 } }, "options.retry.maxMs"],
      [{ sink: async () => {}, whenFull: "forget" }, "options.whenFull"],
      [{ sink: async () => {}, clock: {} }, "options.clock"],
      [{ sink: async () => {}, random: 0.5 }, "options.random"],
      [{ sink: async () => {}, wait: 5 }, "options.wait"],
      [{ sink: async () => {}, retries: 3 }, "options.retries"],
    ];
    for (const [options, field] of wrong) {
      const make = () => createLedger(options as LedgerOptions); // what a caller without types does
      expect(make).toThrow(ValidationError);
      expect(make).toThrow(field);
    }
    createLedger({ sink: async () => {}, maxBatch: 10_000_000, maxPending: 10_000_000 });
  });
});
