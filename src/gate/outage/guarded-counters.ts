import type {
  Counters,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "../../counters/counters.js";
import { CountersUnavailableError, isTollgateError } from "../../model/errors.js";
import type { GateSettings } from "../options.js";
import { within } from "../within.js";
import { isAnswer } from "./answer-form.js";

/**
 * The counters as a gate asks them. Counters in this process call no listener: they cannot answer late, and do not fail
 * without an answer.
 */
export interface GuardedCounters extends Pick<Counters, "read"> {
  reserve(request: ReserveRequest, told?: StepListeners<ReserveOutcome>): Promise<ReserveOutcome>;
  settle(request: SettleRequest, told?: StepListeners<SettleOutcome>): Promise<SettleOutcome>;
}

/** Which counters a gate asks, and how long it waits for them. */
type Waited = Pick<GateSettings, "counters" | "countersTimeoutMs">;

/**
 * Called with the result of a step, besides the answer to whoever waits for it. What a listener throws or rejects with
 * is ignored.
 */
export interface StepListeners<T> {
  /** Called with an answer after the time-out, when the caller was already told that the counters do not answer. */
  readonly onLate?: (answer: T) => unknown;
  /** Called with a failure of the counters, before or after the time-out. */
  readonly onFailure?: (error: unknown) => unknown;
}

/**
 * The steps of counters, each waited for at most `countersTimeoutMs`. Counters in this process cannot be down: what
 * they throw is a defect and is passed on.
 *
 * Each step throws CountersUnavailableError if the counters fail, give a malformed answer, or do not answer in time. A
 * charge may have been made all the same, which errs on the side of refusing later calls.
 */
export function guarded(settings: Waited, counters: Counters = settings.counters): GuardedCounters {
  if (counters.inProcess) return counters;
  const ms = settings.countersTimeoutMs;
  return {
    reserve: (request, told) => answered(ms, () => counters.reserve(request), told),
    settle: (request, told) => answered(ms, () => counters.settle(request), told),
    read: (query) => answered(ms, () => counters.read(query)),
  };
}

/**
 * Closes counters, and waits for that as for a step.
 *
 * @throws CountersUnavailableError if they fail or are not closed in time
 */
export function closeCounters({ counters, countersTimeoutMs }: Waited): Promise<void> {
  return counters.inProcess ? counters.close() : inTime(countersTimeoutMs, () => counters.close());
}

/**
 * Whether an error means that the caller made a mistake and nothing was done. After any other error, the step may have
 * been done.
 */
export function isMistake(error: unknown): boolean {
  return isTollgateError(error) && error.code !== "counters_unavailable";
}

async function answered<T>(ms: number, ask: () => Promise<T>, told?: StepListeners<T>): Promise<T> {
  const answer = await inTime(ms, ask, told);
  if (isAnswer(answer)) return answer;
  throw new CountersUnavailableError("the counters failed: their answer is malformed");
}

async function inTime<T>(
  ms: number,
  ask: () => Promise<T>,
  { onLate, onFailure }: StepListeners<T> = {},
): Promise<T> {
  let isLate = false;
  try {
    const answer = ask();
    if (onFailure !== undefined) answer.catch(onFailure).catch(() => {});
    if (onLate !== undefined) {
      // After the time-out nobody waits for this promise, so a failure of it must not become an unhandled rejection.
      answer.then((value) => isLate && isAnswer(value) && onLate(value)).catch(() => {});
    }
    return await within(ms, answer, () => {
      isLate = true;
      return new CountersUnavailableError(`the counters did not answer within ${ms} ms`);
    });
  } catch (error) {
    throw isTollgateError(error) ? error : new CountersUnavailableError("the counters failed", error);
  }
}
