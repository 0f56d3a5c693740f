import type { Arbitrary } from "fast-check";
import type { TraceCall } from "../trace.js";
import type { FastCheck } from "./fast-check.js";

/** Options of {@link anyTrace}. */
export interface TraceOptions {
  /** The earliest first arrival, in epoch milliseconds. Default: 2026-01-14 09:00 UTC. */
  readonly startsAt?: number | undefined;
  /** The most calls. Default: 40. */
  readonly maxCalls?: number | undefined;
  /** The longest gap between two calls, in milliseconds. Default: 70,000, a little more than a minute's window. */
  readonly maxGapMs?: number | undefined;
  /** The most input tokens and the most output tokens of a call. Default: 2,000. */
  readonly maxTokens?: number | undefined;
}

/** Arbitrary traces in the order of arrival: calls in the same millisecond, close together, and over a minute apart. */
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
  // Without a size, fast-check makes no more than ten of anything, whatever the most is.
  return fc.array(call, { maxLength: maxCalls, size: "max" }).map((calls) => {
    let at = startsAt;
    return calls.map(({ gap, inputTokens, outputTokens }) => {
      at += gap;
      return { at, inputTokens, outputTokens };
    });
  });
}
