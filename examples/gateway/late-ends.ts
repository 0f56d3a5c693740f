import type { Reservation } from "tollgate";

/** How long an end waits that the counters did not take, in milliseconds. */
const RETRY_MS = 1_000;

/**
 * Ends of calls, tried again until the counters take them. A moment without counters would else leave the estimate of every
 * call that ended then charged, and its slot in flight taken, until the reservation's TTL.
 */
export class LateEnds {
  readonly #waiting: { readonly reservation: Reservation; readonly end: () => Promise<unknown> }[] = [];
  #retrying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Ends a call now, or else later. Never rejects. */
  async end(reservation: Reservation, end: () => Promise<unknown>): Promise<void> {
    if (await isTaken(reservation, end)) return;
    this.#waiting.push({ reservation, end });
    this.#retryLater();
  }

  /** Tries again those that wait, one after the other, until one is not taken. */
  retry(): Promise<void> {
    this.#retrying ??= this.#retry().finally(() => {
      this.#retrying = undefined;
    });
    return this.#retrying;
  }

  async #retry(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!(await isTaken(next.reservation, next.end))) {
        this.#retryLater();
        return;
      }
      this.#waiting.shift();
    }
  }

  /** In one timer for all that wait: counters that are away are asked once in a while, however many calls have ended. */
  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.retry();
    }, RETRY_MS).unref();
  }
}

/** Whether there is nothing left to do about the end of a call: it was taken, or no further try would change anything. */
async function isTaken({ id, expiresAt }: Reservation, end: () => Promise<unknown>): Promise<boolean> {
  try {
    await end();
    return true;
  } catch (error) {
    if (Object(error).code === "counters_unavailable" && Date.now() < expiresAt) return false;
    // The estimate stays charged: that errs on the side of refusing.
    console.warn(`call ${id} was not settled: ${error instanceof Error ? error.name : "unknown"}`);
    return true;
  }
}
