const LAST_DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, "0"));

/** Makes ids of reservations: unlike those of any other process, and in order within this one. */
export class ReservationIds {
  readonly #prefix: string;
  #last = 0;
  /** The latest text without its last three digits, and the thousands that it stands for. */
  #head = "";
  #headOf = -1;

  /** @param nonce a text that no other maker of ids has */
  constructor(nonce: string) {
    this.#prefix = `${nonce}-`;
  }

  /** The number of the latest id; they begin at 1. */
  get last(): number {
    return this.#last;
  }

  /** A new id, for something that is kept by the text of it. The letter tells such ids from those of {@link textOf}. */
  next(): string {
    return `${this.textOf(this.take())}t`;
  }

  /** The number of a new id, for something that is kept by the number: unlike a text it need not be hashed to look it up. */
  take(): number {
    this.#last++;
    return this.#last;
  }

  /** The id with a number. The last digits come from a table: to make a text of a number takes longer, and V8 caches such texts for a while. */
  textOf(number: number): string {
    const thousands = Math.floor(number / 1000);
    if (thousands !== this.#headOf) {
      this.#head = this.#prefix + thousands;
      this.#headOf = thousands;
    }
    return this.#head + LAST_DIGITS[number % 1000];
  }

  /** The number of an id that {@link textOf} has made; undefined for any other. */
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
