/** Groups ids into batches by number and age. */
export interface Batches {
  /** Puts an id into the batch under way. */
  add(id: string): void;
}

interface BatchesOptions {
  /** A batch is full with so many ids. */
  readonly maxSize: number;
  /** A batch waits at most so long for its next id. */
  readonly maxAgeMs: number;
}

/**
 * Batches by bottleneck's `Batcher`, which is loaded with the first of them: importing tollgate does not pay for it.
 *
 * The `Batcher` is no more than the clock and the counter here. What it is known for is kept out, each with a test:
 * the promise of `add` ends before the handler does, so it is not used; a batch is handed over within `add`, and what a
 * handler adds then gets lost, so the handler runs later; it swallows what a handler throws; it has no flush, so the
 * caller keeps what it added and can go without.
 *
 * @param onBatch gets each batch once, never within {@link Batches.add}
 */
export function batches({ maxSize, maxAgeMs }: BatchesOptions, onBatch: (ids: string[]) => void): Batches {
  let early: string[] | undefined = [];
  let add = (id: string) => {
    early?.push(id);
  };
  import("bottleneck/light.js").then(({ default: Bottleneck }) => {
    const batcher = new Bottleneck.Batcher({ maxSize, maxTime: maxAgeMs });
    batcher.on("batch", (ids: string[]) => queueMicrotask(() => onBatch(ids)));
    add = (id) => {
      batcher.add(id);
    };
    for (const id of early ?? []) add(id);
    early = undefined;
  });
  return { add: (id) => add(id) };
}
