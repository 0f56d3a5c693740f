import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixed } from "../../src/admission/estimate.js";
import { anyHierarchy, anyTrace } from "../../src/arbitraries.js";
import { createGate } from "../../src/gate/gate.js";
import { NotFoundError, ValidationError } from "../../src/model/errors.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import { directoryOf } from "../../src/testing/directory.js";
import { generateTrace } from "../../src/testing/generate-trace.js";
import { aKeyChain } from "../../src/testing/key-chain.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { type ReplayOptions, type ReplaySetup, replay } from "../../src/testing/replay.js";
import type { LimitResult, ReplayResult } from "../../src/testing/replay-result.js";
import { callerOf as callerOfChain, type ReplayStep } from "../../src/testing/replay-step.js";
import type { TraceCall } from "../../src/testing/trace.js";
import { callerOf, chainOf, gateOver } from "./gate-over.js";

const START = Date.UTC(2026, 0, 14, 9);

/** A dollar per million input tokens, two per million output tokens. */
const prices = priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } });

/** A hundredth of a second for each output token and nothing else. */
const replyTime = { firstTokenMs: 0, msPerInputToken: 0, msPerOutputToken: 10 };

interface Call extends TraceCall {
  readonly by: string;
  readonly ask?: number;
}

const call = (second: number, by: string, inputTokens: number, outputTokens: number, ask?: number): Call => ({
  at: START + second * 1000,
  by,
  inputTokens,
  outputTokens,
  ...(ask !== undefined && { ask }),
});

const TRACE = [
  call(0, "a", 1000, 500, 500), // 0.002 USD, ends at 5 s
  call(1, "a", 1000, 500, 500), // ends at 6 s
  call(2, "a", 1000, 500, 500), // the third within a minute
  call(3, "b", 100, 1000, 300), // stops at the 300 it asked for, at 6 s
  call(4, "b", 100, 100, 300), // while the first of b is in flight
  call(6, "b", 100, 100, 300), // at the very moment at which that one ends
  call(120, "a", 1000, 4000), // 100 are reserved, 4000 come: 0.009 USD, ends at 160 s
  call(170, "a", 1000, 10, 10), // the budget is overdrawn
];

function setupOf(
  clock = new ManualClock(START),
): ReplaySetup<Call> & { callers: ReturnType<typeof callerOf>[] } {
  const a = chainOf("a", {
    org: { rpm: 5, mode: "shadow" },
    key: { rpm: 2, budget: { usd: "0.01", reset: "daily" } },
  });
  const b = chainOf("b", { org: { rpm: 5, mode: "shadow" }, key: { inFlight: 1 } });
  const gate = gateOver([a, b], { clock, prices, estimate: fixed(100) });
  const callers = [callerOf("a"), callerOf("b")];
  return {
    gate,
    clock,
    callers,
    assign({ by, ask, inputTokens }) {
      const caller = callers.find(({ name }) => name === by) ?? callerOf(by);
      return {
        caller,
        usage: { model: "m", inputTokens, ...(ask !== undefined && { maxOutputTokens: ask }) },
      };
    },
  };
}

const run = (options: ReplayOptions = {}) =>
  replay(setupOf(), TRACE, { replyTime, sampleMs: 50_000, ...options });

function limitOf(result: ReplayResult, scope: string, window: string): LimitResult | undefined {
  return result.limits.find(({ reading }) => reading.scope === scope && reading.window === window);
}

describe("replay", () => {
  it("counts what was admitted and refused, and why", async () => {
    const result = await run();
    expect(result).toMatchObject({ calls: 8, admitted: 5, refused: 3, lateSettles: 0 });
    expect(result.reasons).toEqual({ rate_limited: 1, in_flight_limited: 1, budget_exceeded: 1 });
    expect(result).toMatchObject({ startsAt: START, endsAt: START + 170_000 });
  });

  it("adds up each caller's calls, tokens and cost", async () => {
    const ids = { orgId: "o", projectId: "p" };
    expect((await run()).callers).toEqual([
      {
        ...{ ...ids, name: "a", keyId: "a", calls: 5, admitted: 3, refused: 2 },
        reasons: { rate_limited: 1, budget_exceeded: 1 },
        ...{ inputTokens: 3000, outputTokens: 5000, costNanoUsd: 13_000_000, usd: 0.013 },
      },
      {
        ...{ ...ids, name: "b", keyId: "b", calls: 3, admitted: 2, refused: 1 },
        reasons: { in_flight_limited: 1 },
        ...{ inputTokens: 200, outputTokens: 400, costNanoUsd: 1_000_000, usd: 0.001 },
      },
    ]);
  });

  it("tells of each limit what it refused, overdrafts, and the share of it that was in use", async () => {
    const result = await run();
    const budget = limitOf(result, "key", "daily");
    expect(budget).toMatchObject({
      orgId: "o",
      projectId: "p",
      caller: "a",
      admitted: 3,
      refused: 1,
      overdrafts: 1,
    });
    expect(budget?.reasons).toEqual({ budget_exceeded: 1 });
    expect(budget?.reading.usd).toEqual({ max: 0.01, used: 0.013, remaining: 0 });
    expect(budget?.peak).toBeCloseTo(1.3);
    // At 50 and 100 s 0.004 USD, at 150 s the 0.0012 reserved on top, at the last arrival 0.013.
    expect(budget?.mean).toBeCloseTo((0.4 + 0.4 + 0.52 + 1.3) / 4);

    const slots = limitOf(result, "key", "in-flight");
    expect(slots).toMatchObject({ caller: "b", admitted: 2, refused: 1, overdrafts: 0, peak: 1, mean: 0 });
    expect(limitOf(result, "key", "minute")).toMatchObject({ caller: "a", admitted: 3, refused: 1, peak: 1 });
  });

  it.each([
    [5_000, (1 / 4 + 2 / 4) / 2], // half-way, and at the last arrival
    [10_000, 2 / 4],
  ])(
    "takes the mean over one sample every %s ms, the last one at the last arrival",
    async (sampleMs, mean) => {
      const clock = new ManualClock(START);
      const gate = gateOver([chainOf("a", { key: { rpm: 4 } })], { clock });
      const caller = callerOf("a");
      const assign = () => ({ caller, usage: { model: "m", inputTokens: 1 } });
      const trace = [call(0, "a", 1, 1), call(10, "a", 1, 1)];
      const { limits } = await replay({ gate, clock, callers: [caller], assign }, trace, { sampleMs });
      expect(limits).toMatchObject([{ mean, peak: 2 / 4 }]);
    },
  );

  it("calls with the token of a caller that has one", async () => {
    const clock = new ManualClock(START);
    const directory = directoryOf(chainOf("a", {}));
    const gate = createGate({ directory, clock });
    const keys: unknown[] = [];
    const admit: ReplaySetup["gate"]["admit"] = (key, usage) => {
      keys.push(key);
      return gate.admit(key, usage);
    };
    const caller = { ...callerOf("a"), token: directory.tokenOf("a") };
    const assign = () => ({ caller, usage: { model: "m", inputTokens: 1 } });
    const watched = { admit, settle: gate.settle.bind(gate), usage: gate.usage.bind(gate) };
    await replay({ gate: watched, clock, callers: [caller], assign }, [call(0, "a", 1, 1)]);
    expect(keys).toEqual([caller.token]);
  });

  it("tells of a limit in shadow mode what it would have refused", async () => {
    const setup = setupOf();
    const trace = [0, 1, 2, 3, 4, 5, 6].map((second) => call(second, "b", 10, 1, 1));
    const result = await replay(setup, trace, { replyTime });
    expect(result).toMatchObject({ calls: 7, admitted: 7, refused: 0 });
    const shadow = limitOf(result, "org", "minute");
    expect(shadow).toMatchObject({
      admitted: 7,
      refused: 2,
      reasons: { rate_limited: 2 },
      overdrafts: 0,
      peak: 7 / 5,
    });
    expect(shadow).not.toHaveProperty("projectId");
  });

  it("has every limit once, in the order org, project, member, key", async () => {
    const scopes = (await run()).limits.map(({ reading, caller }) => [reading.scope, reading.window, caller]);
    expect(scopes).toEqual([
      ["org", "minute", undefined],
      ["key", "minute", "a"],
      ["key", "daily", "a"],
      ["key", "in-flight", "b"],
    ]);
  });

  it("has the limit of an org once, whatever projects its callers are of, and of nothing no share that is no number", async () => {
    const clock = new ManualClock(START);
    const chains = ["p", "q"].map((projectId) =>
      aKeyChain({
        org: { id: "o", limits: { rpm: 9, budget: { usd: 0, reset: "daily" } } },
        project: { id: projectId },
        key: { id: `of-${projectId}` },
      }),
    );
    const callers = chains.map((chain) => callerOfChain(chain));
    const gate = gateOver(chains, { clock, unpriced: "free" });
    const assign = (_: Call, index: number) => {
      const caller = callers[index % 2];
      if (caller === undefined) throw new Error("two callers");
      return { caller, usage: { model: "free", inputTokens: 1, maxOutputTokens: 1 } };
    };
    const { limits } = await replay({ gate, clock, callers, assign }, TRACE.slice(0, 4), { replyTime });
    expect(limits.map(({ reading, admitted }) => [reading.meter, admitted])).toEqual([
      ["requests", 4],
      ["cost", 4],
    ]);
    for (const { peak, mean } of limits) expect([peak, mean].every(Number.isFinite)).toBe(true);
  });

  it("says whose each limit is: the org's, a project's, or a caller's", async () => {
    const limits = { rpm: 9 };
    const chain = chainOf("a", { org: limits, project: limits, member: limits, key: limits });
    const clock = new ManualClock(START);
    const result = await replay(
      { ...setupOf(), gate: gateOver([chain], { clock }), clock, callers: [callerOf("a")] },
      [],
    );
    expect(
      result.limits.map(({ reading, orgId, projectId, caller }) => [reading.scope, orgId, projectId, caller]),
    ).toEqual([
      ["org", "o", undefined, undefined],
      ["project", "o", "p", undefined],
      ["member", "o", "p", undefined],
      ["key", "o", "p", "a"],
    ]);
  });

  it("lists the most frequent reason first", async () => {
    const trace = [
      call(0, "b", 1, 5_000),
      call(1, "b", 1, 1),
      ...[2, 3, 4, 5].map((second) => call(second, "a", 1, 1)),
    ];
    const { reasons } = await replay(setupOf(), trace, { replyTime });
    expect(Object.entries(reasons)).toEqual([
      ["rate_limited", 2],
      ["in_flight_limited", 1],
    ]);
  });

  it("tells a peak that a settle after midnight gives the budget of the day before", async () => {
    const midnight = Date.UTC(2026, 0, 15);
    const clock = new ManualClock();
    const gate = gateOver([chainOf("a", { key: { budget: { usd: 0.01, reset: "daily" } } })], {
      clock,
      prices,
      estimate: fixed(100),
    });
    const caller = callerOf("a");
    const assign = () => ({ caller, usage: { model: "m", inputTokens: 0 } });
    const trace = [{ at: midnight - 1_000, inputTokens: 0, outputTokens: 10_000 }]; // 0.02 USD, 100 s
    const { limits } = await replay({ gate, clock, callers: [caller], assign }, trace, { replyTime });
    expect(limits).toMatchObject([{ peak: 2, overdrafts: 1, reading: { used: 0 } }]);
  });

  it("tells each step in order, on the clock of the trace", async () => {
    const steps: ReplayStep[] = [];
    await run({ onStep: (step) => steps.push(step) });
    expect(steps.map(({ at, kind, caller }) => `${(at - START) / 1000} ${caller.name} ${kind}`)).toEqual([
      "0 a admission",
      "1 a admission",
      "2 a admission",
      "3 b admission",
      "4 b admission",
      "5 a settlement",
      "6 a settlement",
      "6 b settlement",
      "6 b admission",
      "7 b settlement",
      "120 a admission",
      "160 a settlement",
      "170 a admission",
    ]);
    const [first] = steps.filter((step) => step.kind === "settlement" && step.caller.name === "b");
    expect(first).toMatchObject({ actual: { inputTokens: 100, outputTokens: 300 } });
  });

  it("is plain data and the same each time, but for the time it took", async () => {
    let stopwatch = 0;
    const options = () => ({ stopwatch: () => (stopwatch += 250) });
    const result = await run(options());
    expect(result).toMatchObject({ elapsedMs: 250, callsPerSecond: 32 });
    expect(await run(options())).toEqual(result);
    expect(await run({ stopwatch: () => 0 })).toMatchObject({ elapsedMs: 0, callsPerSecond: 0 });
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it("reports settles that came after their reservation had expired", async () => {
    const clock = new ManualClock(START);
    const gate = gateOver([chainOf("a", { key: { inFlight: 5 } })], { clock, reservationTtlMs: 1_000 });
    const callers = [callerOf("a")];
    const assign = () => ({ caller: callerOf("a"), usage: { model: "m", inputTokens: 1 } });
    const result = await replay({ gate, clock, callers, assign }, [call(0, "a", 1, 500)], { replyTime });
    expect(result).toMatchObject({ admitted: 1, lateSettles: 1 });
  });

  it("counts a repeated request once against its limits, and its second settle not as late", async () => {
    const setup = setupOf();
    const assign = () => ({
      caller: callerOf("a"),
      usage: { model: "m", inputTokens: 1000, maxOutputTokens: 500, requestId: "r" },
    });
    const result = await replay({ ...setup, assign }, TRACE.slice(0, 2), { replyTime });
    expect(result).toMatchObject({ calls: 2, admitted: 2, lateSettles: 0 });
    expect(limitOf(result, "key", "minute")).toMatchObject({ admitted: 1, reading: { used: 1 } });
    expect(result.callers[0]).toMatchObject({ admitted: 2, inputTokens: 1000 });
  });

  it("of no calls is empty", async () => {
    expect(await replay(setupOf(), [])).toMatchObject({
      calls: 0,
      admitted: 0,
      refused: 0,
      callsPerSecond: 0,
    });
  });

  it("stops at a call that comes before the one in front of it, at an unknown caller and at an unknown key", async () => {
    const [first, second] = [call(1, "a", 1, 1), call(0, "a", 1, 1)];
    await expect(replay(setupOf(), [first, second])).rejects.toThrow(/^trace\[1\]\.at: /);
    await expect(replay(setupOf(), [call(0, "c", 1, 1)])).rejects.toThrow(ValidationError);
    await expect(replay(setupOf(), [first], { sampleMs: 0 })).rejects.toThrow(ValidationError);
    const twice = { ...setupOf(), callers: [callerOf("a"), callerOf("a")] };
    await expect(replay(twice, [first])).rejects.toThrow(/different names/);
    const unknown = { ...setupOf(), callers: [callerOf("x")] };
    await expect(replay(unknown, [first])).rejects.toThrow(NotFoundError);
  });

  it.each([
    ["at", Number.NaN],
    ["at", Number.POSITIVE_INFINITY],
    ["at", 1e15],
    ["at", String(START)],
    ["inputTokens", Number.NaN],
    ["inputTokens", 1e12 + 1],
    ["outputTokens", -1],
    ["outputTokens", 0.5],
    ["outputTokens", "50"],
    ["outputTokens", undefined],
  ])("names the first call whose %s is %s, before any is made", async (field, value) => {
    const wrong = { ...call(1, "a", 1, 1), [field]: value } as Call; // As plain JavaScript may read it from a log.
    const steps: ReplayStep[] = [];
    const replayed = replay(setupOf(), [call(0, "a", 1, 1), wrong, wrong], {
      onStep: (step) => steps.push(step),
    });
    await expect(replayed).rejects.toThrow(ValidationError);
    await expect(replayed).rejects.toThrow(`trace[1].${field}: a`);
    expect(steps).toEqual([]);
  });

  it.each(["firstTokenMs", "msPerInputToken", "msPerOutputToken"])(
    "refuses a reply time whose %s is no time",
    async (name) => {
      for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
        const wrong = { ...replyTime, [name]: ms } as typeof replyTime; // As plain JavaScript may give it.
        await expect(run({ replyTime: wrong })).rejects.toThrow(`options.replyTime.${name}`);
      }
    },
  );

  it("refuses a gate that goes by another clock, or was later than the trace before", async () => {
    const elsewhere = new ManualClock(START + 1);
    await expect(replay({ ...setupOf(), clock: elsewhere }, TRACE)).rejects.toThrow(/^setup\.clock: /);
    const setup = setupOf();
    await replay(setup, TRACE, { replyTime });
    await expect(replay(setup, TRACE, { replyTime })).rejects.toThrow(/^setup\.clock: /);
  });

  it("takes moments between two milliseconds", async () => {
    const trace = [0.25, 0.75].map((ms) => ({ ...call(0, "a", 1, 1), at: START + ms }));
    expect(await replay(setupOf(), trace)).toMatchObject({ admitted: 2 });
  });

  it("takes an hour in a few seconds and puts its result in proportion to it", {
    timeout: 60_000,
  }, async () => {
    const trace = generateTrace().map((one) => ({ ...one, by: one.inputTokens % 2 === 0 ? "a" : "b" }));
    const result = await replay(setupOf(), trace);
    expect(result.calls).toBe(trace.length);
    expect(result.callers.reduce((sum, { calls }) => sum + calls, 0)).toBe(trace.length);
    expect(result.admitted + result.refused).toBe(trace.length);
    expect(Object.values(result.reasons).reduce((sum, many) => sum + many, 0)).toBe(result.refused);
    for (const { peak, mean } of result.limits) expect(mean).toBeLessThanOrEqual(peak);
  });
});

it("law: the peak of a limit is the largest share that a reading after any step would tell, and its reading is the last of them", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyHierarchy(fc, { shadow: true, models: ["m"] }),
      anyTrace(fc, { maxTokens: 3_000 }),
      async (chains, trace) => {
        const clock = new ManualClock(START);
        const callers = chains.map((chain) => callerOfChain(chain));
        const gate = gateOver(chains, { clock, prices, estimate: fixed(50) });
        const peaks = new Map<string, number>();
        const last = new Map<string, number>();
        const look = async () => {
          for (const { orgId, projectId, keyId } of callers) {
            for (const { scope, scopeId, meter, window, perModel, used, max } of await gate.usage({
              orgId,
              keyId,
            })) {
              const id = JSON.stringify([scope === "org" || projectId, scopeId, meter, window, perModel]);
              const share = max > 0 ? used / max : Math.min(used, 1);
              peaks.set(id, Math.max(peaks.get(id) ?? 0, share));
              last.set(id, used);
            }
          }
        };
        const watched: ReplaySetup["gate"] = {
          usage: (query) => gate.usage(query),
          async admit(key, usage) {
            const admission = await gate.admit(key, usage);
            await look();
            return admission;
          },
          async settle(reservation, actual) {
            const settlement = await gate.settle(reservation, actual);
            await look();
            return settlement;
          },
        };
        const assign: ReplaySetup["assign"] = ({ inputTokens }, index) => ({
          caller: callers[index % callers.length] ?? callerOf("a"),
          usage: { model: "m", inputTokens },
        });
        const { limits } = await replay({ gate: watched, clock, callers, assign }, trace, {
          sampleMs: 60_000,
        });
        for (const { projectId, reading, peak } of limits) {
          const { scope, scopeId, meter, window, perModel } = reading;
          const id = JSON.stringify([scope === "org" || projectId, scopeId, meter, window, perModel]);
          expect([id, peak]).toEqual([id, peaks.get(id) ?? 0]);
          expect([id, reading.used]).toEqual([id, last.get(id) ?? 0]);
        }
      },
    ),
    { numRuns: 40 },
  );
});
