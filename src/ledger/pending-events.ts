import { setTimeout } from "node:timers/promises";
import { backoffMs, type Retry } from "./backoff.js";
import { type Batches, batches } from "./batches.js";
import type { LedgerSink } from "./sink.js";
import { type CallEnd, type LedgerCall, usageEventOf } from "./usage-event.js";

/** Waits until milliseconds have passed, or rejects when the signal says so. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<unknown>;

export const wait: Wait = (ms, signal) => setTimeout(ms, undefined, { signal });

export interface PendingOptions {
  readonly maxBatch: number;
  readonly maxDelayMs: number;
  readonly maxPending: number;
  readonly whenFull: "block" | "drop";
  readonly retry: Retry;
  readonly random: () => number;
  readonly wait: Wait;
  /** An end of a call found no room. Told once each time the queue becomes full. */
  readonly onFull: () => void;
  /** The sink has refused a batch. */
  readonly onFailure: (failures: number, error: unknown) => void;
}

interface Pending {
  readonly call: LedgerCall;
  readonly end: CallEnd | undefined;
}

/**
 * What the sink has not acknowledged yet, one event for each call. Written by one batch at a time.
 *
 * A batch that the sink refuses goes behind all others, and the next one is half as large, down to one: an event that a
 * sink can never take is tried again for ever, but holds up the others only for a moment.
 */
export class PendingEvents {
  readonly #sink: LedgerSink;
  readonly #options: PendingOptions;
  readonly #batches: Batches;
  /** INVARIANT: an entry leaves only when the sink has acknowledged that very entry. */
  readonly #pending = new Map<string, Pending>();
  /** Ids to be written, in their order. The rest of `#pending` is in a batch that is still filling. */
  readonly #due = new Set<string>();
  /** Ends of calls that found no room, under `block`, each with whom to tell when it has. */
  readonly #waiting: (Pending & { readonly admit: () => void })[] = [];
  readonly #stop = new AbortController();
  #writing: Promise<void> | undefined;
  #failures = 0;
  #dropped = 0;
  #isFull = false;

  constructor(sink: LedgerSink, options: PendingOptions) {
    this.#sink = sink;
    this.#options = options;
    const { maxBatch: maxSize, maxDelayMs: maxAgeMs } = options;
    this.#batches = batches({ maxSize, maxAgeMs }, (ids) => this.#write(ids));
  }

  /** Events that no sink has acknowledged. */
  get size(): number {
    return this.#pending.size + this.#waiting.length;
  }

  /** Ends of calls that were not recorded because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  get failures(): number {
    return this.#failures;
  }

  /** The admission of the call that has waited longest. */
  get oldestAdmittedAt(): number | undefined {
    for (const { call } of this.#pending.values()) return call.reservedAt;
    return undefined;
  }

  /** Notes the beginning of a call, or an extension. Beginnings take at most half of the room: ends matter more. */
  begin(call: LedgerCall): void {
    const known = this.#pending.get(call.id);
    if (known?.end !== undefined) return;
    if (known === undefined && this.#pending.size * 2 >= this.#options.maxPending) return;
    this.#put({ call, end: undefined });
  }

  /** Notes the end of a call. Returns a promise where it has to wait for room, under `block`. */
  end(call: LedgerCall, end: CallEnd): Promise<void> | undefined {
    const known = this.#pending.get(call.id);
    if (known?.end !== undefined) return undefined;
    const entry = { call, end };
    if (known !== undefined || this.#pending.size < this.#options.maxPending) {
      this.#put(entry);
      return undefined;
    }
    if (this.#options.whenFull === "drop") this.#dropped++;
    if (!this.#isFull) {
      this.#isFull = true;
      this.#options.onFull();
    }
    if (this.#options.whenFull === "drop") return undefined;
    return new Promise((resolve) => this.#waiting.push({ ...entry, admit: resolve }));
  }

  /** Resolves once nothing is pending any more; goes on trying until then. */
  async flush(): Promise<void> {
    while (this.size > 0 && !this.#stop.signal.aborted) await this.#write([...this.#pending.keys()]);
  }

  /** Ends the trying. What is pending then is lost; its number is returned. */
  stop(): number {
    this.#stop.abort();
    for (const { admit } of this.#waiting) admit();
    return this.size;
  }

  #put(entry: Pending): void {
    const { id } = entry.call;
    const isNew = !this.#pending.has(id);
    this.#pending.set(id, entry);
    if (isNew) this.#batches.add(id);
  }

  #write(ids: readonly string[]): Promise<void> {
    for (const id of ids) if (this.#pending.has(id)) this.#due.add(id);
    this.#writing ??= this.#writeDue().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeDue(): Promise<void> {
    while (this.#due.size > 0 && !this.#stop.signal.aborted) {
      const batch = this.#take(Math.max(1, this.#options.maxBatch >> this.#failures));
      if (batch.length === 0) continue; // acknowledged since it was found due
      try {
        await this.#sink.write(batch.map(({ call, end }) => usageEventOf(call, end)));
      } catch (error) {
        for (const { call } of batch) this.#due.add(call.id);
        await this.#pause(error);
        continue;
      }
      this.#failures = 0;
      this.#acknowledge(batch);
    }
  }

  #take(size: number): Pending[] {
    const batch: Pending[] = [];
    for (const id of this.#due) {
      if (batch.length === size) break;
      this.#due.delete(id);
      const entry = this.#pending.get(id);
      if (entry !== undefined) batch.push(entry);
    }
    return batch;
  }

  #acknowledge(batch: readonly Pending[]): void {
    for (const entry of batch) {
      const { id } = entry.call;
      // A call may have ended while its beginning was being written.
      if (this.#pending.get(id) === entry) this.#pending.delete(id);
      else this.#due.add(id);
    }
    while (this.#pending.size < this.#options.maxPending) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#put(next);
      next.admit();
    }
    if (this.#pending.size < this.#options.maxPending) this.#isFull = false;
  }

  async #pause(error: unknown): Promise<void> {
    this.#failures++;
    this.#options.onFailure(this.#failures, error);
    const { retry, random, wait } = this.#options;
    try {
      await wait(backoffMs(retry, this.#failures, random()), this.#stop.signal);
    } catch (reason) {
      if (!this.#stop.signal.aborted) throw reason;
    }
  }
}
