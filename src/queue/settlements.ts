import type { Reservation } from "../gate/call/reservation.js";

/** One settle. It links to all those after it, for as long as somebody remembers it. */
export interface Settled {
  readonly reservation?: Reservation;
  next?: Settled;
}

/** The settles of a gate, as far back as somebody remembers one. */
export class Settlements {
  #latest: Settled = {};

  /** The latest settle. Whoever wants to know what came after it remembers it. */
  get latest(): Settled {
    return this.#latest;
  }

  add(reservation: Reservation): void {
    const next = { reservation };
    this.#latest.next = next;
    this.#latest = next;
  }
}

/** Whether any settle after a given one matches. */
export function isAnySince(settled: Settled, isSuch: (reservation: Reservation) => boolean): boolean {
  for (let one = settled.next; one !== undefined; one = one.next) {
    if (one.reservation && isSuch(one.reservation)) return true;
  }
  return false;
}
