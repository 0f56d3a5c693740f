/** Counts the tokens of a text: a tokenizer, or what stands in for one. */
export interface TokenCounter {
  /** @returns a whole number of tokens, zero or more */
  count(text: string): number;
}

/** ASCII: some four characters to a token in English, three in source code and JSON. */
const TOKENS_PER_ASCII = 1 / 4;

/** Letters with marks, Greek, Cyrillic, Hebrew, Arabic: some two characters to a token. */
const TOKENS_PER_LETTER = 1 / 2;

/** From here on scripts have a token to about every character: Indic and Thai, Chinese, Japanese, Korean, emoji. */
const FIRST_WIDE = 0x0900;

/**
 * Counts by characters, without knowing the tokenizer: four ASCII characters, two of the alphabets beyond it, or one of any
 * other script make a token; rounded up.
 *
 * Four characters to a token is the rule of thumb that OpenAI gives for English. How far it is off for other kinds of text
 * is measured in `docs/guides/prices.md`. Settling by the provider's usage corrects it.
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
