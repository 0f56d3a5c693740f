import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Gate } from "../gate/gate.js";
import { ValidationError } from "../model/errors.js";
import type { Usage } from "../model/usage.js";
import { isSurcharge } from "./charged-amount.js";
import { EventQueue } from "./event-queue.js";
import type { ManualClock } from "./manual-clock.js";
import type { ReplayResult } from "./replay-result.js";
import type { Caller, ReplayStep } from "./replay-step.js";
import { checkReplyTime, HOSTED_MODEL, type ReplyTime, replyMs } from "./reply-time.js";
import { Tally } from "./tally.js";
import { checkTrace, type TraceCall } from "./trace.js";

/** A call as the gate is asked about it. */
export interface AssignedCall {
  readonly caller: Caller;
  /** What the gateway knows before the call is sent. */
  readonly usage: Usage;
}

/** The gate to replay a trace against, and who makes the calls. */
export interface ReplaySetup<C extends TraceCall = TraceCall> {
  /**
   * The gate. Its `clock` must be the one below, and so must that of its counters: no `server` clock. It has no counts
   * of an earlier replay.
   */
  readonly gate: Pick<Gate, "admit" | "settle" | "usage">;
  /** The gate's clock. It is moved to each arrival and each end of a stream in turn. */
  readonly clock: ManualClock;
  /** Every caller that `assign` returns. The limits of their chains are in the result. */
  readonly callers: readonly Caller[];
  /**
   * Decides who makes the call at `index` of the trace, and what the gateway knows beforehand. See {@link trafficMix}.
   */
  assign(call: C, index: number): AssignedCall;
}

/** Options of {@link replay}. */
export interface ReplayOptions {
  /** How long calls take. Default: {@link HOSTED_MODEL}. */
  readonly replyTime?: ReplyTime | undefined;
  /**
   * How often each limit is read, for the mean of its use, in milliseconds of the trace, at least 1. Default: 5,000.
   */
  readonly sampleMs?: number | undefined;
  /** Called with each step in order: for a log, a progress bar, or checks such as an {@link Audit}. */
  readonly onStep?: ((step: ReplayStep) => void) | undefined;
  /** Returns real milliseconds since a fixed moment. Default: `performance.now`. */
  readonly stopwatch?: (() => number) | undefined;
}

/**
 * Replays a trace on a virtual clock: each call is admitted when it arrives, and settled when its stream would have
 * ended.
 *
 * A stream that ends in the millisecond of an arrival ends before it. An answer stops at the call's `maxOutputTokens`,
 * like a real model's. A refused call is not retried.
 *
 * @param setup the gate, its clock and the callers
 * @param trace in the order of arrival, as {@link parseTrace} and {@link generateTrace} return it
 * @param options how long calls take, and what to measure
 * @throws ValidationError naming the call that is wrong or out of order, or the option; if `assign` returns a caller
 *   that is not in `callers`; or if the gate or its counters go by another clock
 * @throws what the gate throws for a wrong usage
 * @throws NotFoundError if a caller's org has no such key
 */
export async function replay<C extends TraceCall>(
  setup: ReplaySetup<C>,
  trace: readonly C[],
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const { gate, clock } = setup;
  const { replyTime = HOSTED_MODEL, sampleMs = 5_000, stopwatch = () => performance.now() } = options;
  if (!(sampleMs >= 1)) throw wrong("options.sampleMs", "a number of milliseconds, 1 or more");
  checkReplyTime(replyTime);
  checkTrace(trace);
  const tally = new Tally(setup.callers);
  const due = new EventQueue<() => Promise<void>>();
  const first = trace[0]?.at ?? clock.now();
  const last = trace.at(-1)?.at ?? first;
  const step = (one: ReplayStep) => {
    tally.count(one);
    options.onStep?.(one);
  };

  /** Everything that happens up to and at a moment. */
  async function runUntil(until: number): Promise<void> {
    for (let next = due.take(until); next !== undefined; next = due.take(until)) {
      clock.set(next.at);
      await next.value();
    }
  }

  async function lookAt(caller: Caller, isSample = false): Promise<void> {
    const { orgId, keyId } = caller;
    tally.look(caller, await gate.usage({ orgId, keyId }), isSample);
  }

  async function look(isSample = false): Promise<void> {
    for (const caller of setup.callers) await lookAt(caller, isSample);
  }

  /** Has a sample taken every so often after a moment. The last one is at the last arrival. */
  function sampleAfter(at: number): void {
    const next = at + sampleMs;
    if (next >= last) return;
    due.add(next, async () => {
      await look(true);
      sampleAfter(next);
    });
  }

  async function arrive(call: C, index: number): Promise<void> {
    const { caller, usage } = setup.assign(call, index);
    const key: KeyRef = caller.token ?? { keyId: caller.keyId };
    const admission = await gate.admit(key, usage);
    step({ kind: "admission", at: call.at, caller, admission });
    if (!admission.admitted) return;
    const { reservation } = admission;
    // A store may keep whole milliseconds.
    if (!admission.replayed && Math.abs(reservation.reservedAt - call.at) >= 1) {
      throw wrong("setup.clock", "the clock of the gate and of its counters, never later than the trace");
    }
    const actual = {
      inputTokens: call.inputTokens,
      outputTokens: Math.min(call.outputTokens, usage.maxOutputTokens ?? call.outputTokens),
    };
    const at = call.at + replyMs(replyTime, actual);
    due.add(at, async () => {
      const settlement = await gate.settle(reservation, actual);
      step({ kind: "settlement", at, caller, reservation, actual, settlement });
      // The settlement tells what is in use only of the limits that are above their max.
      if (isSurcharge(reservation, settlement)) await lookAt(caller);
    });
  }

  const began = stopwatch();
  clock.set(first);
  await look();
  sampleAfter(first);
  for (const [index, call] of trace.entries()) {
    await runUntil(call.at);
    clock.set(call.at);
    await arrive(call, index);
  }
  await look(true);
  await runUntil(Number.POSITIVE_INFINITY);
  const elapsedMs = stopwatch() - began;
  const endsAt = clock.now();
  await look();
  return tally.result({ startsAt: first, endsAt, elapsedMs });
}

function wrong(field: string, expected: string): ValidationError {
  return new ValidationError([{ field, expected }]);
}
