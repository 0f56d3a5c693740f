/** How long to wait before a retry. */
export interface Retry {
  /** The longest first wait, in milliseconds. Each further one may be twice as long. */
  readonly baseMs: number;
  /** The longest wait, in milliseconds. */
  readonly maxMs: number;
}

/**
 * A random wait of between half of a time and all of it, in milliseconds. The time doubles with each failure. It is
 * random so that processes do not all return to a sink at the same moment.
 *
 * @param failures failures in a row, from 1
 * @param random from 0 to below 1
 */
export function backoffMs({ baseMs, maxMs }: Retry, failures: number, random: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** (failures - 1));
  return Math.ceil(full / 2 + (full / 2) * random);
}
