/** Counts the tokens of a text: a tokenizer, or an approximation of one. */
export interface TokenCounter {
  /**
   * Counts the tokens of a text.
   *
   * @returns a whole number of tokens, zero or more
   */
  count(text: string): number;
}

/** ASCII has about four characters to a token in English, three in source code and JSON. */
const TOKENS_PER_ASCII = 1 / 4;

/** Letters with marks, Greek, Cyrillic, Hebrew and Arabic have about two characters to a token. */
const TOKENS_PER_LETTER = 1 / 2;

/** From here on, scripts have about one token to a character: Indic, Thai, Chinese, Japanese, Korean, emoji. */
const FIRST_WIDE = 0x0900;

/**
 * Estimates tokens from characters, without a tokenizer. Four ASCII characters make a token, two of the alphabets after
 * ASCII (up to U+08FF), or one of any other script. The sum is rounded up.
 *
 * Four characters to a token is the rule of thumb that OpenAI gives for English. `docs/guides/prices.md` has
 * measurements of how far it is off for other kinds of text. A settle with the provider's usage corrects the estimate.
 *
 * @see https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them
 */
export const characterCounter: TokenCounter = {
  count(text) {
    let tokens = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      tokens += unit < 0x80 ? TOKENS_PER_ASCII : unit < FIRST_WIDE ? TOKENS_PER_LETTER : 1;
    }
    return Math.ceil(tokens);
  },
};
