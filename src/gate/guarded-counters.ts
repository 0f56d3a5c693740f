import type { Counters } from "../counters/counters.js";
import { CountersUnavailableError, TollgateError } from "../model/errors.js";
import { isAnswer } from "./answer-form.js";
import type { Engine } from "./engine.js";
import type { Reservation } from "./reservation.js";

/**
 * The answer of counters, waited for at most `countersTimeoutMs`. Counters in this process cannot be down: what they
 * throw is a defect and passes as it is.
 *
 * @param onLate is given the answer that comes after nobody waits for it any more; what it throws or rejects with is nobody's
 * @throws CountersUnavailableError where they fail, answer nothing that is an answer, or do not answer in time. A charge
 * may have been made all the same: it errs on the side of refusing later calls.
 */
export function answerOf<T>(
  engine: Engine,
  counters: Counters,
  ask: () => Promise<T>,
  onLate?: (answer: T) => unknown,
): Promise<T> {
  return counters.inProcess ? ask() : answered(ask, engine.settings.countersTimeoutMs, onLate);
}

async function answered<T>(
  ask: () => Promise<T>,
  timeoutMs: number,
  onLate?: (answer: T) => unknown,
): Promise<T> {
  const answer = await withinTime(ask, timeoutMs, onLate && ((late) => isAnswer(late) && onLate(late)));
  if (isAnswer(answer)) return answer;
  throw new CountersUnavailableError("the counters failed: what they answered has not the form of an answer");
}

/** The steps of counters, each waited for as {@link answerOf} does. */
export function guarded(engine: Engine, counters: Counters): Pick<Counters, "reserve" | "settle"> {
  return {
    reserve: (request) => answerOf(engine, counters, () => counters.reserve(request)),
    settle: (request) => answerOf(engine, counters, () => counters.settle(request)),
  };
}

/**
 * Closes counters, and waits for it as {@link answerOf} does.
 *
 * @throws CountersUnavailableError where they fail or are not closed in time
 */
export function closeCounters({ settings: { counters, countersTimeoutMs } }: Engine): Promise<void> {
  return counters.inProcess ? counters.close() : withinTime(() => counters.close(), countersTimeoutMs);
}

async function withinTime<T>(
  ask: () => Promise<T>,
  timeoutMs: number,
  onLate?: (answer: T) => unknown,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new CountersUnavailableError(`the counters did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    const answer = ask();
    if (onLate !== undefined) {
      // The caller was told that they do not answer; what fails after that, nobody waits for.
      answer.then((value) => isLate && onLate(value)).catch(() => {});
    }
    return await Promise.race([answer, timeout]);
  } catch (error) {
    throw error instanceof TollgateError ? error : new CountersUnavailableError("the counters failed", error);
  } finally {
    clearTimeout(timer);
  }
}

/** The counters that hold a reservation: those it was made by, or the store, which takes over what was counted locally. */
export function countersOf(engine: Engine, { id, degraded }: Reservation): Counters {
  return degraded === "local" && engine.local.keeps(id) ? engine.local : engine.settings.counters;
}
