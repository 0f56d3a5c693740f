/** Of each generation; two are kept, so between this many and twice as many ids. */
const GENERATION = 10_000;

/**
 * What became of the latest ids, in bounded memory.
 *
 * Many are added, and hardly any is ever asked for: an index is made only once one is. An id that has fallen out is not
 * known here any more: a settle of it is refused either way, only the reason given is less exact.
 */
export class RecentIds<K, T> {
  #young = new Generation<K, T>();
  #old = new Generation<K, T>();

  add(id: K, value: T): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(id, value);
  }

  get(id: K): T | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }
}

class Generation<K, T> {
  readonly #ids: K[] = [];
  readonly #values: T[] = [];
  readonly #index = new Map<K, T>();

  get size(): number {
    return this.#ids.length;
  }

  add(id: K, value: T): void {
    this.#ids.push(id);
    this.#values.push(value);
  }

  get(id: K): T | undefined {
    for (let i = this.#index.size; i < this.#ids.length; i++) {
      this.#index.set(this.#ids[i] as K, this.#values[i] as T); // sound: i is below the length of both
    }
    return this.#index.get(id);
  }
}
