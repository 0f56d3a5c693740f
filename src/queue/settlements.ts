import type { Reservation } from "../gate/call/reservation.js";

/** One settle; a chain of all those after it hangs on it, for as long as somebody remembers it. */
export interface Settled {
  readonly reservation?: Reservation;
  next?: Settled;
}

/** What a gate settles, as far back as somebody remembers. */
export class Settlements {
  #latest: Settled = {};

  /** The latest: to be remembered by whoever wants to know what came after it. */
  get latest(): Settled {
    return this.#latest;
  }

  add(reservation: Reservation): void {
    const next = { reservation };
    this.#latest.next = next;
    this.#latest = next;
  }
}

/** Whether any of those that were settled after one is such. */
export function isAnySince(settled: Settled, isSuch: (reservation: Reservation) => boolean): boolean {
  for (let one = settled.next; one !== undefined; one = one.next) {
    if (one.reservation && isSuch(one.reservation)) return true;
  }
  return false;
}
