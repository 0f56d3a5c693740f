/** Ids of one generation. Two generations are kept, so the latest 10,000 to 20,000 ids are known. */
const GENERATION = 10_000;

/**
 * Remembers a value for each of the latest ids, in bounded memory.
 *
 * Many ids are added and hardly any is ever asked for, so the index is made only when one is. A settle of a forgotten
 * id is refused all the same, with a less exact reason.
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
