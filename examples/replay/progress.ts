const WIDTH = 40;

/** Standard error, which may be a terminal. */
type Terminal = Pick<NodeJS.WriteStream, "isTTY" | "write">;

/** Draws a progress bar on a terminal, and nothing anywhere else. */
export class Progress {
  readonly #stream: Terminal;
  readonly #total: number;
  #done = 0;
  #drawn = -1;

  constructor(stream: Terminal, total: number) {
    this.#stream = stream;
    this.#total = total;
  }

  /** Counts one more call. */
  step(): void {
    this.#done++;
    const cells = Math.floor((WIDTH * this.#done) / this.#total);
    if (!this.#stream.isTTY || cells === this.#drawn) return;
    this.#drawn = cells;
    const percent = Math.floor((100 * this.#done) / this.#total);
    this.#stream.write(`\r  ${"█".repeat(cells)}${"·".repeat(WIDTH - cells)} ${percent} %`);
  }

  /** Removes the bar. */
  end(): void {
    if (this.#stream.isTTY && this.#drawn >= 0) this.#stream.write(`\r${" ".repeat(WIDTH + 8)}\r`);
  }
}
