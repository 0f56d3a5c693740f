import { describe, expect, it } from "vitest";
import { fixed } from "../../src/admission/estimate.js";
import type { LimitReading } from "../../src/admission/limit-reading.js";
import type { Counters } from "../../src/counters/counters.js";
import { memoryCounters } from "../../src/counters/memory.js";
import type { Settlement } from "../../src/gate/call/settlement.js";
import { priceCatalog } from "../../src/pricing/catalog.js";
import { Audit } from "../../src/testing/audit.js";
import { generateTrace } from "../../src/testing/generate-trace.js";
import { ManualClock } from "../../src/testing/manual-clock.js";
import { type ReplaySetup, replay } from "../../src/testing/replay.js";
import type { ReplayStep } from "../../src/testing/replay-step.js";
import { passed, settled } from "../scenarios/answers.js";
import { type ChainLimits, callerOf, chainOf, gateOver } from "./gate-over.js";

const prices = priceCatalog.of({ m: { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } });
const trace = generateTrace({ durationMs: 5 * 60_000, load: 0.5 });

function setupOf(limits: ChainLimits, counters: Counters = memoryCounters()): ReplaySetup {
  const clock = new ManualClock(trace[0]?.at);
  const gate = gateOver([chainOf("a", limits)], { clock, prices, counters, estimate: fixed(50) });
  const caller = callerOf("a");
  const assign: ReplaySetup["assign"] = ({ inputTokens }) => ({ caller, usage: { model: "m", inputTokens } });
  return { gate, clock, callers: [caller], assign };
}

async function audited(setup: ReplaySetup, change: (step: ReplayStep) => ReplayStep = (step) => step) {
  const audit = new Audit();
  const result = await replay(setup, trace, { onStep: (step) => audit.observe(change(step)) });
  return { result, report: audit.report() };
}

/** Memory counters for which each limit seems to be twice as high. */
function lenientCounters(): Counters {
  const counters = memoryCounters();
  return {
    inProcess: true,
    async reserve(request) {
      const charges = request.charges.map(({ limit, ...charge }) => ({
        ...charge,
        limit: { ...limit, max: 2 * limit.max },
      }));
      const outcome = await counters.reserve({ ...request, charges });
      return outcome.outcome === "reserved" ? { ...outcome, charges: request.charges } : outcome;
    },
    settle: (request) => counters.settle(request),
    read: (query) => counters.read(query),
    close: () => counters.close(),
  };
}

const LIMITS: Record<string, ChainLimits> = {
  "requests in a minute": { project: { rpm: 100 } },
  "tokens in a minute": { member: { tpm: 150_000 } },
  "output tokens in a minute": { key: { outputTpm: 10_000 } },
  "requests in a day": { key: { rpd: 400 } },
  "a budget": { org: { budget: { usd: 0.5, reset: "daily" } } },
  "a budget that never resets": { key: { budget: { usd: 0.5, reset: "never" } } },
  "calls at a time": { key: { inFlight: 8 } },
};

describe("an audit", () => {
  it.each(Object.entries(LIMITS))("of %s finds nothing in a replay whose limit held", async (_, limits) => {
    const { result, report } = await audited(setupOf(limits));
    expect(result.refused).toBeGreaterThan(50);
    expect(report).toMatchObject({ limits: 1, violations: [] });
    expect(report.checks).toBeGreaterThan(2 * result.admitted - 1);
    expect(report.overdrafts).toBe(result.limits[0]?.overdrafts);
  });

  it.each(Object.entries(LIMITS))("of %s finds that counters let too much pass", async (_, limits) => {
    const { report } = await audited(setupOf(limits, lenientCounters()));
    expect(report.violations.length).toBeGreaterThan(0);
    expect(report.violations[0]).toMatch(/^2026-01-14T09:\d\d.*: admitted a call at \d+ of \d+$/);
  });

  it("counts a settle that came too late as none, so its call stays charged as it was reserved", async () => {
    const late = (step: ReplayStep): ReplayStep => {
      if (step.kind === "admission") return step;
      return { ...step, settlement: { settled: false, reason: "expired" } };
    };
    const { report } = await audited(setupOf({ project: { rpm: 100 } }), late);
    expect(report).toMatchObject({ violations: [], overdrafts: 0 });
    const whole = await audited(setupOf({ project: { rpm: 100 } }));
    expect(whole.report.checks).toBe(2 * report.checks);
  });

  it("finds a settle that passed a limit and did not say so", async () => {
    const silent = (step: ReplayStep): ReplayStep => {
      if (step.kind === "admission" || !step.settlement.settled) return step;
      const settlement: Settlement = { ...step.settlement, overdraft: [] };
      return { ...step, settlement };
    };
    const { report } = await audited(setupOf({ key: { tpm: 30_000 } }), silent);
    expect(report.overdrafts).toBe(0);
    expect(report.violations[0]).toMatch(/key a tokens\/minute: settled in silence at \d+ of 30000$/);
    expect(report.violations.length).toBeLessThanOrEqual(100);
  });

  it("does not mind a limit in shadow mode, which refuses nothing", async () => {
    const { result, report } = await audited(setupOf({ key: { rpm: 1, mode: "shadow" } }));
    expect(result.refused).toBe(0);
    expect(report).toEqual({ checks: 0, limits: 0, overdrafts: 0, violations: [] });
  });
});

describe("an audit of calls made by hand", () => {
  const KEY = { keyId: "a" };

  function byHand(limits: ChainLimits) {
    const clock = new ManualClock(Date.UTC(2026, 0, 14, 9));
    const gate = gateOver([chainOf("a", limits)], { clock, unpriced: "free" });
    const audit = new Audit();
    const caller = callerOf("a");
    const admit = async (usage: object, max?: number) => {
      const admission = passed(await gate.admit(KEY, { model: "m", ...usage }));
      const { limits } = admission.reservation.charges;
      // What a gate with a lower max would have no room for.
      if (max !== undefined)
        Object.assign(admission.reservation.charges, { limits: limits.map((one) => ({ ...one, max })) });
      audit.observe({ kind: "admission", at: clock.now(), caller, admission });
      return admission.reservation;
    };
    const settle = async (
      reservation: Awaited<ReturnType<typeof admit>>,
      actual: object,
      isTold = (_: LimitReading) => true,
    ) => {
      const made = settled(await gate.settle(reservation, actual));
      const settlement = { ...made, overdraft: made.overdraft.filter(isTold) };
      audit.observe({ kind: "settlement", at: clock.now(), caller, reservation, actual, settlement });
    };
    return { clock, audit, admit, settle };
  }

  it("counts a repeated request once", async () => {
    const { audit, admit } = byHand({ key: { rpm: 1 } });
    await admit({ inputTokens: 1, requestId: "r" });
    await admit({ inputTokens: 1, requestId: "r" });
    expect(audit.report()).toMatchObject({ checks: 1, violations: [] });
  });

  it("counts no money of a call on the customer's own provider key", async () => {
    const { audit, admit, settle } = byHand({ key: { budget: { usd: 1, reset: "never" } } });
    await settle(await admit({ costUsd: 5, byok: true }), { costUsd: 6 });
    expect(audit.report().violations).toEqual([]);
  });

  it("counts it for a budget that is of such calls as well", async () => {
    const { audit, admit, settle } = byHand({
      key: { budget: { usd: 10, reset: "never", countByok: true } },
    });
    await settle(await admit({ costUsd: 5, byok: true }), { costUsd: 6 });
    await admit({ costUsd: 1 }, 6_500_000_000);
    expect(audit.report().violations).toHaveLength(1);
  });

  it("does not take the overdraft of a limit for that of one per model", async () => {
    const { audit, admit, settle } = byHand({ key: { tpm: 400, perModel: { m: { tpm: 300 } } } });
    const reservation = await admit({ inputTokens: 100, maxOutputTokens: 0 });
    await settle(
      reservation,
      { inputTokens: 500, outputTokens: 0 },
      ({ perModel }) => perModel === undefined,
    );
    expect(audit.report()).toMatchObject({ overdrafts: 1, violations: [expect.stringContaining("of 300")] });
  });

  it("does not mind a call that takes nothing of a limit above its max", async () => {
    const { audit, admit, settle } = byHand({ key: { budget: { usd: 1, reset: "never" } } });
    await settle(await admit({ costUsd: 0.5 }), { costUsd: 2 });
    await admit({ costUsd: 0 });
    expect(audit.report()).toMatchObject({ overdrafts: 1, violations: [] });
  });

  it("counts a surcharge from the settle on, for as long as the window", async () => {
    const { clock, audit, admit, settle } = byHand({ key: { tpm: 1_000 } });
    const call = { inputTokens: 100, maxOutputTokens: 0 };
    const first = await admit(call);
    clock.advance(30_000);
    await settle(first, { inputTokens: 300, outputTokens: 0 });
    clock.advance(31_000);
    await admit(call, 300);
    expect(audit.report().violations).toEqual([]);
    await admit({ ...call, inputTokens: 1 }, 300);
    expect(audit.report().violations).toHaveLength(1);
  });

  it("counts nothing for longer than its window", async () => {
    const { clock, audit, admit } = byHand({ key: { tpm: 1_000 } });
    const call = { inputTokens: 100, maxOutputTokens: 0 };
    await admit(call, 100);
    clock.advance(59_999);
    await admit(call, 200);
    clock.advance(1);
    await admit(call, 200);
    expect(audit.report().violations).toEqual([]);
  });

  it.each([60_000, 120_000])(
    "makes no room of what is given back %s ms after it was taken",
    async (afterMs) => {
      const { clock, audit, admit, settle } = byHand({ key: { tpm: 1_000 } });
      const call = { inputTokens: 100, maxOutputTokens: 0 };
      const late = await admit(call, 100);
      clock.advance(afterMs);
      await settle(late, { inputTokens: 0, outputTokens: 0 });
      await admit(call, 100);
      await admit(call, 100);
      expect(audit.report().violations).toHaveLength(1);
    },
  );
});
