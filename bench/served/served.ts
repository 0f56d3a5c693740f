/** A contender whose calls wait for a store. */
export interface Served {
  /** One call; rejects where its answer is not the one that it has to be. Many are under way at once. */
  call(): Promise<void>;
  /** Between two laps, outside of the time: what the calls of the last one have left open. */
  tidy?(): Promise<void>;
  /** Statements that were sent to the store until now. */
  readonly statements: number;
  close(): Promise<void>;
}

/** What a worker is told: to call for so long, with so many calls under way, or to end. */
export type ToServedWorker = { readonly ms: number; readonly concurrency: number } | "close";

/** What calls came to that went on for a while. */
export interface Lap {
  readonly calls: number;
  readonly seconds: number;
  readonly statements: number;
  /** Processor time of this process, not of the store. */
  readonly cpuMs: number;
  readonly latencyMs: readonly number[];
}

export type FromServedWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "closed" }
  | { readonly kind: "lap"; readonly lap: Lap };
