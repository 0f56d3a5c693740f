/** Numbers from 0 up to, not including, 1. */
export type Random = () => number;

/**
 * Random numbers that a seed reproduces: mulberry32. Enough for made-up traffic, not for secrets.
 *
 * @param seed a whole number; its lowest 32 bits count
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
