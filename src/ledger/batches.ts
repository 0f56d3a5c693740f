/** Groups ids into batches by number and age. */
export interface Batches {
  /** Adds an id to the current batch. */
  add(id: string): void;
  /** Drops the current batch and whatever is added from now on, and keeps the process alive no longer. */
  stop(): void;
}

interface BatchesOptions {
  /** The number of ids at which a batch is full. */
  readonly maxSize: number;
  /** The longest that a batch waits for its next id, in milliseconds. */
  readonly maxAgeMs: number;
}

/**
 * Batches made by bottleneck's `Batcher`, which is loaded with the first of them, so that importing tollgate does not
 * pay for it.
 *
 * The `Batcher` only provides the clock and the counter. Its known defects are kept out, each with a test. The promise
 * of `add` ends before the handler does, so it is not used. A batch is handed over within `add`, and what a handler
 * adds then is lost, so the handler runs later. It swallows what a handler throws. It has no flush, so the caller keeps
 * what it added and can do without. It has no end either, and a process lives as long as its timer, so that is cleared
 * where it is kept.
 *
 * @param onBatch called with each batch once, never within {@link Batches.add}
 */
export function batches({ maxSize, maxAgeMs }: BatchesOptions, onBatch: (ids: string[]) => void): Batches {
  let early: string[] | undefined = [];
  let add = (id: string) => {
    early?.push(id);
  };
  let endTimer = () => {};
  import("bottleneck/light.js").then(({ default: Bottleneck }) => {
    if (early === undefined) return; // stopped meanwhile
    const batcher = new Bottleneck.Batcher({ maxSize, maxTime: maxAgeMs });
    batcher.on("batch", (ids: string[]) => queueMicrotask(() => onBatch(ids)));
    add = (id) => {
      batcher.add(id);
    };
    endTimer = () => clearTimeout(Reflect.get(batcher, "_timeout"));
    for (const id of early) add(id);
    early = undefined;
  });
  return {
    add: (id) => add(id),
    stop() {
      early = undefined;
      add = () => {};
      endTimer();
    },
  };
}
