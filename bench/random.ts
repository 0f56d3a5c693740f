/** Numbers from 0 up to, not including, 1: the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random order of `0 … n - 1`, or random draws of them: `length` numbers. */
export function draws(length: number, below: number, seed: number): Uint32Array {
  const random = seeded(seed);
  return Uint32Array.from({ length }, () => Math.floor(random() * below));
}
