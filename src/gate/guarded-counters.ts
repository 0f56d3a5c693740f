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
export function answerOf<T>(engine: Engine, counters: Counters, answer: Promise<T>): Promise<T> {
  return counters.inProcess ? answer : withinTime(answer, engine.settings.countersTimeoutMs);
}

function withinTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new CountersUnavailableError(`the counters did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    answer
      .then(resolve, (error) =>
        reject(
          error instanceof TollgateError ? error : new CountersUnavailableError("the counters failed", error),
        ),
      )
      .finally(() => clearTimeout(timer));
  });
}

/** The counters that hold a reservation. */
export function countersOf(engine: Engine, { degraded }: Reservation): Counters {
  return degraded === "local" ? engine.localCounters : engine.settings.counters;
}
