import { characterCounter, type TokenCounter } from "../token-counter.js";

/** Characters that are counted together: enough that the ends of the pieces, which may cut a token in two, add little. */
const PIECE = 1_024;

/** The tokens of a text that comes bit by bit, of which no more than a piece is kept. */
export class TextCount {
  readonly #counter: TokenCounter;
  #tokens = 0;
  #piece = "";

  constructor(counter: TokenCounter) {
    this.#counter = counter;
  }

  add(text: string): void {
    this.#piece += text;
    if (this.#piece.length < PIECE) return;
    this.#tokens += tokensOf(this.#counter, this.#piece);
    this.#piece = "";
  }

  clear(): void {
    this.#tokens = 0;
    this.#piece = "";
  }

  get tokens(): number {
    return this.#piece === "" ? this.#tokens : this.#tokens + tokensOf(this.#counter, this.#piece);
  }
}

/**
 * What the counter makes of the text, or by characters where it fails: a tokenizer may refuse a text, for naming one of its
 * special tokens, and the answer is on its way to the client.
 */
export function tokensOf(counter: TokenCounter, text: string): number {
  try {
    const tokens = counter.count(text);
    if (Number.isSafeInteger(tokens) && tokens >= 0) return tokens;
  } catch {
    // Counted below.
  }
  return characterCounter.count(text);
}
