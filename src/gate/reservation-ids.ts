/** Makes ids of reservations: unlike those of any other process, and in order within this one. */
export class ReservationIds {
  readonly #prefix: string;
  #last = 0;

  /** @param nonce text that no other process has */
  constructor(nonce: string) {
    this.#prefix = `${nonce}-`;
  }

  next(): string {
    return this.#prefix + (++this.#last).toString(36);
  }
}
