import { AsyncResource } from "node:async_hooks";
import { setTimeout } from "node:timers/promises";
import { backoffMs, type Retry } from "./backoff.js";
import type { LedgerSink } from "./sink.js";
import { inTime } from "./time-limit.js";
import type { UsageEvent } from "./usage-event.js";

/** Waits for some milliseconds. Rejects when the signal aborts. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<unknown>;

export const wait: Wait = (ms, signal) => setTimeout(ms, undefined, { signal });

export interface WriterOptions {
  readonly maxBatch: number;
  readonly retry: Retry;
  readonly random: () => number;
  readonly wait: Wait;
  /** How long a write may take, in milliseconds. One that takes longer has failed. */
  readonly writeTimeoutMs: number;
  /** Called when the sink refuses a batch. */
  readonly onFailure: (failures: number, error: unknown) => void;
}

/** Where events are kept until the sink has taken them. */
interface Kept {
  /** What is to be written about a call. Undefined if the sink has all of it. */
  readonly eventOf: (id: string) => UsageEvent | undefined;
  /** Called when the sink has taken exactly these events. */
  readonly onWritten: (batch: readonly UsageEvent[]) => void;
  /** Whether somebody waits for a flush. */
  readonly isAwaited: () => boolean;
}

/** The longest pause after a failed write, in milliseconds, while somebody waits for a flush. */
const FLUSHED_WAIT_MS = 500;

/**
 * Writes to a sink, one batch at a time.
 *
 * A batch that the sink refuses goes to the end of the queue, and the next batch is half as large, down to a single
 * event. An event that is refused by itself is written by itself from then on, whenever nothing else is due. So an event
 * that the sink can never take is retried for ever, but hardly delays the others.
 */
export class EventWriter {
  readonly #sink: LedgerSink;
  readonly #options: WriterOptions;
  readonly #kept: Kept;
  /** Ids to be written, in order. */
  readonly #due = new Set<string>();
  /** Ids that the sink has refused by themselves. */
  readonly #refused = new Set<string>();
  readonly #stop = new AbortController();
  /** Ends the pauses after a failure. */
  #resumed = new AbortController();
  #isWriting = false;
  /** Whether the events in `#refused` are waiting for their next try. */
  #isResting = false;
  /** Failed writes in a row. Those of refused events are counted apart: a success of others says nothing about them. */
  #failures = 0;
  #refusals = 0;
  /**
   * In the async context in which the writer was made. A batch has events of many calls, so none of theirs would be the
   * right one for the sink (a span of OpenTelemetry, for one).
   */
  readonly #start = AsyncResource.bind(() => this.#writeDue());

  constructor(sink: LedgerSink, options: WriterOptions, kept: Kept) {
    this.#sink = sink;
    this.#options = options;
    this.#kept = kept;
  }

  get failures(): number {
    return this.#failures + this.#refusals;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Queues what is kept of these calls for writing. */
  write(ids: Iterable<string>): void {
    for (const id of ids) if (!this.#refused.has(id)) this.#due.add(id);
    if (!this.#isWriting) this.#start();
  }

  /** Ends the present pauses. */
  resume(): void {
    this.#resumed.abort();
    this.#resumed = new AbortController();
  }

  /** Ends all writing. */
  stop(): void {
    this.#stop.abort();
  }

  async #writeDue(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#hasNext() && !this.isStopped) await this.#writeNext();
    } finally {
      this.#isWriting = false; // in the same turn in which `#hasNext` said that nothing is due
    }
  }

  #hasNext(): boolean {
    return this.#due.size > 0 || (this.#refused.size > 0 && !this.#isResting);
  }

  async #writeNext(): Promise<void> {
    const isRefused = this.#due.size === 0;
    const size = Math.max(1, Math.floor(this.#options.maxBatch / 2 ** this.#failures));
    const batch = isRefused ? this.#take(this.#refused, 1) : this.#take(this.#due, size);
    if (batch.length === 0) return; // the sink has taken all of it since it became due
    try {
      await this.#writeInTime(batch);
    } catch (error) {
      this.#putBack(batch);
      if (isRefused) this.#refusals++;
      else this.#failures++;
      this.#options.onFailure(this.failures, error);
      if (isRefused) this.#rest();
      else await this.#pause(this.#failures);
      return;
    }
    this.#failures = 0;
    if (isRefused) this.#refusals = 0;
    this.#kept.onWritten(batch);
  }

  /**
   * Writes a batch, or fails when it takes too long. Such a write may still succeed and is sent again all the same: a
   * sink takes the same events twice, and in any order.
   */
  async #writeInTime(batch: readonly UsageEvent[]): Promise<void> {
    // Copies: a sink may change what it is given, and what it refuses is sent again.
    const events = batch.map((event) => ({ ...event, tags: { ...event.tags } }));
    const limit = { ms: this.#options.writeTimeoutMs, late: "did not answer", ref: false };
    await inTime(() => this.#sink.write(events), limit);
  }

  #putBack(batch: readonly UsageEvent[]): void {
    for (const { id } of batch) {
      if (batch.length > 1) this.#due.add(id);
      else {
        this.#refused.add(id);
        this.#due.delete(id); // a flush may have put it there meanwhile
      }
    }
  }

  #take(ids: Set<string>, size: number): UsageEvent[] {
    const batch: UsageEvent[] = [];
    for (const id of ids) {
      if (batch.length === size) break;
      ids.delete(id);
      const event = this.#kept.eventOf(id);
      if (event !== undefined) batch.push(event);
    }
    return batch;
  }

  /** Waits before the next try of a refused event. Meanwhile others are written. */
  async #rest(): Promise<void> {
    this.#isResting = true;
    await this.#pause(this.failures);
    this.#isResting = false;
    if (!this.#isWriting) this.#writeDue();
  }

  async #pause(failures: number): Promise<void> {
    const { retry, random, wait } = this.#options;
    const ms = backoffMs(retry, failures, random());
    // A flush gives up soon, so the sink is tried more often while one waits.
    const pauseMs = this.#kept.isAwaited() ? Math.min(ms, FLUSHED_WAIT_MS) : ms;
    const signal = AbortSignal.any([this.#stop.signal, this.#resumed.signal]);
    try {
      await wait(pauseMs, signal);
    } catch {
      // The pause was ended. If not, a wait of the caller's has failed, which must neither end all writing nor make it
      // try without a pause.
      await setTimeout(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
