const LAST_DIGITS = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, "0"));

/** Makes ids of reservations: different from those of any other process, and in order within this one. */
export class ReservationIds {
  readonly #prefix: string;
  #last = 0;
  /** The latest text without its last three digits, and the thousands it stands for. */
  #head = "";
  #headOf = -1;

  /** @param nonce a text that no other maker of ids has */
  constructor(nonce: string) {
    this.#prefix = `${nonce}-`;
  }

  /** The number of the latest id. Numbers begin at 1. */
  get last(): number {
    return this.#last;
  }

  /**
   * Makes an id for something that is kept by its text. A letter distinguishes such ids from those of {@link textOf}.
   */
  next(): string {
    return `${this.textOf(this.take())}t`;
  }

  /**
   * Takes the number of a new id, for something that is kept by number: unlike a text, it need not be hashed for a
   * look-up.
   */
  take(): number {
    this.#last++;
    return this.#last;
  }

  /**
   * The id with a number. The last digits come from a table, since making a text from a number takes longer and V8
   * caches such texts for a while.
   */
  textOf(number: number): string {
    const thousands = Math.floor(number / 1000);
    if (thousands !== this.#headOf) {
      this.#head = this.#prefix + thousands;
      this.#headOf = thousands;
    }
    return this.#head + LAST_DIGITS[number % 1000];
  }

  /** The number of an id made by {@link textOf}. Undefined for any other. */
  numberOf(id: string): number | undefined {
    if (!id.startsWith(this.#prefix)) return undefined;
    const number = Number(id.slice(this.#prefix.length));
    return number >= 1 && number <= this.#last && this.textOf(number) === id ? number : undefined;
  }

  /** The position of an id made by {@link next}: later ones have greater ones. NaN for any other id. */
  orderOf(id: string): number {
    if (!(id.startsWith(this.#prefix) && id.endsWith("t"))) return Number.NaN;
    return Number(id.slice(this.#prefix.length, -1));
  }
}
