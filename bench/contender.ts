/**
 * Puts one kind of question `times` times and counts the answers that were yes.
 *
 * Each contender has a loop of its own, so that what is measured is compiled for it alone. The count is checked: an
 * answer that nobody looks at might never be worked out.
 */
export type Batch = (times: number) => number | Promise<number>;

/** One contender, set up: its batch, and what every answer of it has to be. */
export interface Contender {
  readonly batch: Batch;
  readonly answer: "yes" | "no";
}

/** What a worker says to the one who forked it. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "ran"; readonly cpuNs: number; readonly wallNs: number };

/** What a worker is told. */
export interface ToWorker {
  readonly times: number;
}
