import type { Reservation } from "../gate/call/reservation.js";

/** The calls of one queue that are under way: those being asked about, and those admitted and not yet settled. */
export class OpenCalls {
  readonly #max: number;
  #asking = 0;
  /** When each reservation ends by itself, by its id. */
  readonly #open = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether the gate may be asked about one more. */
  get hasRoom(): boolean {
    return this.#asking + this.#open.size < this.#max;
  }

  ask(): void {
    this.#asking++;
  }

  answered(): void {
    this.#asking--;
  }

  /**
   * Notes an admitted call. Its end by itself is converted to the queue's clock, which may not be the gate's. A repeated
   * call has the reservation of the first one, which ends no later for that.
   */
  open({ id, reservedAt, expiresAt }: Reservation, now: number): void {
    if (!this.#open.has(id)) this.#open.set(id, now + (expiresAt - reservedAt));
  }

  close({ id }: Reservation): void {
    this.#open.delete(id);
  }

  /** Forgets those that have ended by themselves. */
  expire(now: number): void {
    for (const [id, endsAt] of this.#open) {
      if (endsAt > now) break; // In the order of their admission, and so nearly of their end.
      this.#open.delete(id);
    }
  }

  /** When the next one ends by itself. */
  get nextEnd(): number | undefined {
    for (const endsAt of this.#open.values()) return endsAt;
    return undefined;
  }
}
