/** How long to wait before trying again. */
export interface Retry {
  /** The first wait, in milliseconds, at most; 100 by default. Each further one may be twice as long. */
  readonly baseMs: number;
  /** The longest wait, in milliseconds; 30,000 by default. */
  readonly maxMs: number;
}

/**
 * A random wait between half of a time and all of it; the time doubles with each failure. Random, so that the processes do not all
 * come back to a sink at the same moment.
 *
 * @param failures in a row, from 1
 * @param random from 0 to below 1
 */
export function backoffMs({ baseMs, maxMs }: Retry, failures: number, random: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.ceil(full / 2 + (full / 2) * random);
}
