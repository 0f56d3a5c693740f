import type { Counters } from "../counters/counters.js";
import { CountersUnavailableError, TollgateError } from "../model/errors.js";
import type { Engine } from "./engine.js";
import type { Reservation } from "./reservation.js";

/**
 * Asks counters and waits at most `timeoutMs` for the answer.
 *
 * @throws CountersUnavailableError where they fail or do not answer in time. A charge may have been made all the same:
 * it errs on the side of refusing later calls.
 */
export async function within<T>(counters: Counters, timeoutMs: number, ask: () => Promise<T>): Promise<T> {
  try {
    return counters.inProcess ? await ask() : await withTimeout(ask(), timeoutMs);
  } catch (error) {
    if (error instanceof TollgateError) throw error;
    throw new CountersUnavailableError("the counters failed", error);
  }
}

function withTimeout<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new CountersUnavailableError(`the counters did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The counters that hold a reservation. */
export function countersOf(engine: Engine, { degraded }: Reservation): Counters {
  return degraded === "local" ? engine.localCounters : engine.settings.counters;
}
