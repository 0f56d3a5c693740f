/** One value for each kind of token and for each other item that is charged. */
export interface Rates<T> {
  readonly input: T;
  readonly cachedInput: T;
  readonly cacheWrite: T;
  readonly cacheWrite1h: T;
  readonly audioInput: T;
  readonly imageInput: T;
  readonly output: T;
  readonly reasoning: T;
  readonly audioOutput: T;
  readonly imageOutput: T;
  /** Per image sent. */
  readonly inputImages: T;
  /** Per image made. */
  readonly outputImages: T;
  readonly searches: T;
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
