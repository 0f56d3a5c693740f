import type { Counters } from "../counters/counters.js";
import { CountersUnavailableError, TollgateError } from "../model/errors.js";
import type { Engine } from "./engine.js";
import type { Reservation } from "./reservation.js";

/**
 * The answer of counters, waited for at most `countersTimeoutMs`. Counters in this process cannot be down: what they
 * throw is a defect and passes as it is.
 *
 * @throws CountersUnavailableError where they fail or do not answer in time. A charge may have been made all the same:
 * it errs on the side of refusing later calls.
 */
export function answerOf<T>(engine: Engine, counters: Counters, ask: () => Promise<T>): Promise<T> {
  return counters.inProcess ? ask() : withinTime(ask, engine.settings.countersTimeoutMs);
}

/** The steps of counters, each waited for as {@link answerOf} does. */
export function guarded(engine: Engine, counters: Counters): Pick<Counters, "reserve" | "settle"> {
  return {
    reserve: (request) => answerOf(engine, counters, () => counters.reserve(request)),
    settle: (request) => answerOf(engine, counters, () => counters.settle(request)),
  };
}

async function withinTime<T>(ask: () => Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const late = () =>
      reject(new CountersUnavailableError(`the counters did not answer within ${timeoutMs} ms`));
    timer = setTimeout(late, timeoutMs);
  });
  try {
    return await Promise.race([ask(), timeout]);
  } catch (error) {
    throw error instanceof TollgateError ? error : new CountersUnavailableError("the counters failed", error);
  } finally {
    clearTimeout(timer);
  }
}

/** The counters that hold a reservation: those it was made by, or the store once it has taken it over. */
export function countersOf(engine: Engine, { id, degraded }: Reservation): Counters {
  return degraded === "local" && !engine.local.hasMoved(id) ? engine.local : engine.settings.counters;
}
