/** Of each generation; two are kept, so between this many and twice as many ids. */
const GENERATION = 100_000;

/**
 * What became of the latest ids, in bounded memory.
 *
 * An id that has fallen out answers as if it had never been: a settle of it is refused either way, only the reason given
 * is less exact.
 */
export class RecentIds<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  set(id: string, value: T): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, value);
  }

  get(id: string): T | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }
}
