const LAST_DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, "0"));

/** Makes ids of reservations: unlike those of any other process, and in order within this one. */
export class ReservationIds {
  readonly #prefix: string;
  #last = 0;
  /** All but the last digits of the latest text, and what number it is of. */
  #head = "";
  #headOf = -1;

  /** @param nonce text that nothing else that makes ids has */
  constructor(nonce: string) {
    this.#prefix = `${nonce}-`;
  }

  /** The number of the latest id; they begin at 1. */
  get last(): number {
    return this.#last;
  }

  /** A new id of something that is kept by its text. The letter tells it from those below. */
  next(): string {
    return `${this.textOf(this.take())}t`;
  }

  /** The number of a new id of something that is kept by that number: a text has to be hashed, a number has not. */
  take(): number {
    this.#last++;
    return this.#last;
  }

  /** Its last digits come from a table: a number made a text takes longer, and V8 keeps such texts for a while. */
  textOf(number: number): string {
    const thousands = Math.floor(number / 1000);
    if (thousands !== this.#headOf) {
      this.#head = this.#prefix + thousands;
      this.#headOf = thousands;
    }
    return this.#head + LAST_DIGITS[number % 1000];
  }

  /** The number of an id that was made here, of something that is kept by it. */
  numberOf(id: string): number | undefined {
    if (!id.startsWith(this.#prefix)) return undefined;
    const number = Number(id.slice(this.#prefix.length));
    return number >= 1 && number <= this.#last && this.textOf(number) === id ? number : undefined;
  }

  /** Of an id that {@link next} has made, which number it has: those made later have greater ones. NaN for any other. */
  orderOf(id: string): number {
    if (!(id.startsWith(this.#prefix) && id.endsWith("t"))) return Number.NaN;
    return Number(id.slice(this.#prefix.length, -1));
  }
}
