/** What the fake provider is asked, whichever of the three APIs it came through. */
export interface Prompt {
  readonly model: string;
  readonly stream: boolean;
  /** A token per word of the request. */
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
}

/** What the fake provider says it has used. Cached input is a part of all input. */
export interface FakeUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

const SENTENCE = "The toll is paid at the gate and not a coin more than the way is long".split(" ");

/** The words of an answer, each a token: as many as were asked for, at most those of one sentence. */
export function wordsFor({ maxOutputTokens }: Prompt): string[] {
  return SENTENCE.slice(0, maxOutputTokens).map((word, i) => (i === 0 ? word : ` ${word}`));
}

/** One server-sent event. */
export function event(data: object | string, name?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
}

/** One API of the provider, as far as an answer of plain text needs it. */
export interface Api {
  readonly path: string;
  /** Name of the field with the most output tokens. */
  readonly maxField: string;
  /** The whole answer in one. */
  answer(prompt: Prompt, words: readonly string[], usage: FakeUsage): object;
  /** The events before the first word, with a word, and after the last. */
  before(prompt: Prompt, usage: FakeUsage): string;
  word(prompt: Prompt, word: string): string;
  after(prompt: Prompt, words: readonly string[], usage: FakeUsage): string;
}
