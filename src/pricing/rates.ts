/** One value for each kind of token and for each other item that is charged. */
export interface Rates<T> {
  /** Input that nothing below has a value for. */
  readonly input: T;
  /** Input read from a cache. */
  readonly cachedInput: T;
  /** Input written to a short-lived cache (minutes). */
  readonly cacheWrite: T;
  /** Input written to a cache for an hour. */
  readonly cacheWrite1h: T;
  readonly audioInput: T;
  /** Images sent, by their tokens. */
  readonly imageInput: T;
  /** Output that nothing below has a value for. */
  readonly output: T;
  readonly reasoning: T;
  readonly audioOutput: T;
  /** Images made, by their tokens. */
  readonly imageOutput: T;
  /** Per image sent. */
  readonly inputImages: T;
  /** Per image made. */
  readonly outputImages: T;
  /** Per web search. */
  readonly searches: T;
  /** Per call. */
  readonly request: T;
}

export function mapRates<T, U>(rates: Rates<T>, map: (rate: T) => U): Rates<U> {
  return {
    input: map(rates.input),
    cachedInput: map(rates.cachedInput),
    cacheWrite: map(rates.cacheWrite),
    cacheWrite1h: map(rates.cacheWrite1h),
    audioInput: map(rates.audioInput),
    imageInput: map(rates.imageInput),
    output: map(rates.output),
    reasoning: map(rates.reasoning),
    audioOutput: map(rates.audioOutput),
    imageOutput: map(rates.imageOutput),
    inputImages: map(rates.inputImages),
    outputImages: map(rates.outputImages),
    searches: map(rates.searches),
    request: map(rates.request),
  };
}
