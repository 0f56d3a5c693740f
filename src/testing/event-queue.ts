interface Entry<T> {
  readonly at: number;
  /** Orders what is due at the same moment. */
  readonly order: number;
  readonly value: T;
}

/**
 * What is to happen when, the earliest first; what is due at the same moment in the order it was added. A binary heap.
 */
export class EventQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #added = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** Adds something that is due at a moment in epoch milliseconds. */
  add(at: number, value: T): void {
    const entry = { at, order: this.#added++, value };
    const heap = this.#heap;
    let hole = heap.length;
    while (hole > 0) {
      const above = (hole - 1) >>> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = entry;
  }

  /** Takes out the earliest of what is due at or before a moment; undefined where nothing is. */
  take(until: number): { readonly at: number; readonly value: T } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > until) return undefined;
    const last = heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first;
  }

  /** Puts an entry where it belongs, from the top down, in place of what is there. */
  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let hole = 0;
    for (;;) {
      let below = 2 * hole + 1;
      let child = heap[below];
      const right = heap[below + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        child = right;
        below++;
      }
      if (child === undefined || !isBefore(child, entry)) break;
      heap[hole] = child;
      hole = below;
    }
    heap[hole] = entry;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
