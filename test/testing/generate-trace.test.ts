import { describe, expect, it } from "vitest";
import { ValidationError } from "../../src/model/errors.js";
import { generateTrace } from "../../src/testing/generate-trace.js";
import type { TraceCall } from "../../src/testing/trace.js";
import { realHour } from "./hour.js";

function quantile(values: readonly number[], probability: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(probability * (values.length - 1))] ?? Number.NaN;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
}

/** Ranks, those of equal values at random: with thousands of values that moves a correlation by next to nothing. */
function ranks(values: readonly number[]): number[] {
  const ranks: number[] = Array(values.length).fill(0);
  const order = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  for (const [rank, index] of order.entries()) ranks[index] = rank;
  return ranks;
}

function rankCorrelation(calls: readonly TraceCall[]): number {
  const x = ranks(calls.map(({ inputTokens }) => inputTokens));
  const y = ranks(calls.map(({ outputTokens }) => outputTokens));
  const [meanX, meanY] = [mean(x), mean(y)];
  return (
    mean(x.map((value, i) => (value - meanX) * ((y[i] ?? 0) - meanY))) / Math.sqrt(variance(x) * variance(y))
  );
}

/** Squared coefficient of variation of the gaps between calls. */
function burstiness(calls: readonly TraceCall[]): number {
  const gaps = calls.slice(1).map(({ at }, i) => at - (calls[i]?.at ?? 0));
  return variance(gaps) / mean(gaps) ** 2;
}

function callsPerMinute(calls: readonly TraceCall[]): number {
  return ((calls.length - 1) / ((calls.at(-1)?.at ?? 0) - (calls[0]?.at ?? 0))) * 60_000;
}

describe("generateTrace", () => {
  it("makes the same calls for the same seed and others for another", () => {
    const minutes = (seed?: number) => generateTrace({ seed, durationMs: 5 * 60_000 });
    expect(minutes(7)).toEqual(minutes(7));
    expect(minutes(7)).not.toEqual(minutes(8));
    expect(minutes()).toEqual(minutes(1));
  });

  it("makes whole numbers in the order of arrival, within the time it was given", () => {
    const startsAt = Date.UTC(2026, 4, 1);
    const calls = generateTrace({ startsAt, durationMs: 2 * 60_000, load: 2 });
    expect(calls.length).toBeGreaterThan(1_000);
    for (const [i, { at, inputTokens, outputTokens }] of calls.entries()) {
      expect([at, inputTokens, outputTokens].every(Number.isSafeInteger)).toBe(true);
      expect(at).toBeGreaterThanOrEqual(calls[i - 1]?.at ?? startsAt);
      expect(at).toBeLessThan(startsAt + 2 * 60_000);
      expect(Math.min(inputTokens, outputTokens)).toBeGreaterThan(0);
    }
  });

  it.each([
    [{ seed: 1.5 }, "options.seed"],
    [{ startsAt: Number.NaN }, "options.startsAt"],
    [{ startsAt: 1e15 }, "options.startsAt"],
    [{ durationMs: 0 }, "options.durationMs"],
    [{ load: -1 }, "options.load"],
  ])("refuses %j", (options, field) => {
    expect(() => generateTrace(options)).toThrow(ValidationError);
    expect(() => generateTrace(options)).toThrow(field);
  });

  it("has the shape of the real hour: rate, burstiness, quantiles of tokens and their rank correlation", (test) => {
    const real = realHour(test);
    for (const made of [generateTrace(), generateTrace({ seed: 2 })]) {
      expect(callsPerMinute(made) / callsPerMinute(real)).toBeCloseTo(1, 1);
      expect(burstiness(made)).toBeCloseTo(burstiness(real), 1);
      expect(Math.abs(rankCorrelation(made) - rankCorrelation(real))).toBeLessThan(0.05);
      for (const meter of ["inputTokens", "outputTokens"] as const) {
        const [ours, theirs] = [made, real].map((calls) => calls.map((call) => call[meter]));
        expect(mean(ours ?? []) / mean(theirs ?? [])).toBeCloseTo(1, 1);
        for (const probability of [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]) {
          const off = quantile(ours ?? [], probability) / quantile(theirs ?? [], probability);
          expect(Math.abs(Math.log(off)), `${meter} at ${probability}`).toBeLessThan(Math.log(1.15));
        }
      }
    }
  });

  it("has the wave of the real hour: in each twelfth, its calls per minute", (test) => {
    const real = realHour(test);
    const made = generateTrace({ startsAt: real[0]?.at });
    const last = real.at(-1)?.at ?? 0;
    for (let part = 0; part < 11; part++) {
      const from = (real[0]?.at ?? 0) + part * 300_000;
      const [ours = 0, theirs = 1] = [made, real].map(
        (calls) => calls.filter(({ at }) => at >= from && at < Math.min(from + 300_000, last)).length,
      );
      expect(Math.abs(ours / theirs - 1), `part ${part}`).toBeLessThan(0.1);
    }
  });
});
