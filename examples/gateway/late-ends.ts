import { setTimeout as sleep } from "node:timers/promises";
import type { Reservation } from "tollgate";

/** How long to wait before trying an end again, in milliseconds. */
const RETRY_MS = 1_000;

/**
 * Ends of calls, tried again until the counters take them. Otherwise, every call that ended while the counters were away
 * would keep its estimate charged, and its slot in flight taken, until the reservation's TTL.
 */
export class LateEnds {
  readonly #waiting: { readonly reservation: Reservation; readonly end: () => Promise<unknown> }[] = [];
  #retrying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Ends a call now or, if that fails, later. Never rejects. */
  async end(reservation: Reservation, end: () => Promise<unknown>): Promise<void> {
    if (await isTaken(reservation, end)) return;
    this.#waiting.push({ reservation, end });
    this.#retryLater();
  }

  /** Tries the waiting ends again, one after the other, until one is not taken. */
  retry(): Promise<void> {
    this.#retrying ??= this.#retry().finally(() => {
      this.#retrying = undefined;
    });
    return this.#retrying;
  }

  /** For a shutdown: tries the waiting ends until all are taken or it is over, and tells which were not. */
  async finish(over: Promise<unknown>): Promise<void> {
    let isOver = false;
    const ended = over.then(() => {
      isOver = true;
    });
    for (await this.retry(); this.#waiting.length > 0 && !isOver; await this.retry()) {
      await Promise.race([ended, sleep(RETRY_MS)]);
    }
    for (const { reservation } of this.#waiting.splice(0))
      tellUnsettled(reservation, "the counters are away");
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

  /** One timer for all: counters that are away are asked once in a while, however many calls have ended. */
  #retryLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.retry();
    }, RETRY_MS).unref();
  }
}

/** Whether the end of a call needs no further try: it was taken, or trying again would change nothing. */
async function isTaken(reservation: Reservation, end: () => Promise<unknown>): Promise<boolean> {
  try {
    await end();
    return true;
  } catch (error) {
    if (Object(error).code === "counters_unavailable" && Date.now() < reservation.expiresAt) return false;
    tellUnsettled(reservation, error instanceof Error ? error.name : "unknown");
    return true;
  }
}

/** The estimate stays charged: that errs on the side of refusing. */
function tellUnsettled({ id }: Reservation, why: string): void {
  console.warn(`call ${id} was not settled: ${why}`);
}
