import { characterCounter, type TokenCounter } from "../token-counter.js";

/**
 * How many characters are counted at a time. A cut may fall into a token and count it twice, so pieces must not be too
 * short.
 */
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
    this.#tokens += countTokens(this.#counter, this.#piece);
    this.#piece = "";
  }

  clear(): void {
    this.#tokens = 0;
    this.#piece = "";
  }

  get tokens(): number {
    return this.#piece === "" ? this.#tokens : this.#tokens + countTokens(this.#counter, this.#piece);
  }
}

/**
 * The tokens of a text by the counter, or by characters where the counter fails: a tokenizer may refuse a text that
 * contains one of its special tokens, and that must not break an answer on its way to the client.
 */
export function countTokens(counter: TokenCounter, text: string): number {
  try {
    const tokens = counter.count(text);
    if (Number.isSafeInteger(tokens) && tokens >= 0) return tokens;
  } catch {
    // Counted below.
  }
  return characterCounter.count(text);
}
