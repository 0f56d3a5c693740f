import type { Arbitrary } from "fast-check";
import type { TraceCall } from "../trace.js";
import type { FastCheck } from "./fast-check.js";

export interface TraceOptions {
  /** First arrival at the earliest, in epoch milliseconds; 2026-01-14 09:00 UTC by default. */
  readonly startsAt?: number;
  /** Most calls; 40 by default. */
  readonly maxCalls?: number;
  /** Longest gap between two calls in milliseconds; 70,000 by default: a little more than a minute's window. */
  readonly maxGapMs?: number;
  /** Most tokens of input and of output each; 2,000 by default. */
  readonly maxTokens?: number;
}

/** A trace in the order of arrival: calls at the same millisecond, close together and more than a minute apart. */
export function anyTrace(fc: FastCheck, options: TraceOptions = {}): Arbitrary<TraceCall[]> {
  const {
    startsAt = Date.UTC(2026, 0, 14, 9),
    maxCalls = 40,
    maxGapMs = 70_000,
    maxTokens = 2_000,
  } = options;
  const gap = fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.nat(Math.min(2_000, maxGapMs)) },
    { weight: 2, arbitrary: fc.nat(maxGapMs) },
  );
  const call = fc.record({ gap, inputTokens: fc.nat(maxTokens), outputTokens: fc.nat(maxTokens) });
  return fc.array(call, { maxLength: maxCalls }).map((calls) => {
    let at = startsAt;
    return calls.map(({ gap, inputTokens, outputTokens }) => {
      at += gap;
      return { at, inputTokens, outputTokens };
    });
  });
}
