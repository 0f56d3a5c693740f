/** A request to the fake provider, through whichever of the three APIs. */
export interface Prompt {
  readonly model: string;
  readonly stream: boolean;
  /** A token per word of the request. */
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
}

/** The usage that the fake provider reports. Cached input is part of the input. */
export interface FakeUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

const SENTENCE = "The toll is paid at the gate and not a coin more than the way is long".split(" ");

/** The words of an answer, each a token: as many as were asked for, up to one sentence. */
export function wordsFor({ maxOutputTokens }: Prompt): string[] {
  return SENTENCE.slice(0, maxOutputTokens).map((word, i) => (i === 0 ? word : ` ${word}`));
}

/** One server-sent event. */
export function event(data: object | string, name?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
}

/** One API of the provider, as far as plain text answers need it. */
export interface Api {
  readonly path: string;
  /** The name of the field with the maximum of output tokens. */
  readonly maxField: string;
  /** A whole answer. */
  answer(prompt: Prompt, words: readonly string[], usage: FakeUsage): object;
  /** The events before the first word, with a word, and after the last. */
  before(prompt: Prompt, usage: FakeUsage): string;
  word(prompt: Prompt, word: string): string;
  after(prompt: Prompt, words: readonly string[], usage: FakeUsage): string;
}
