import { setTimeout } from "node:timers/promises";
import { LedgerUnavailableError } from "../model/errors.js";
import { backoffMs, type Retry } from "./backoff.js";
import { type Batches, batches } from "./batches.js";
import type { LedgerSink } from "./sink.js";
import { type CallEnd, type LedgerCall, replaces, type UsageEvent, usageEventOf } from "./usage-event.js";

/** Waits until milliseconds have passed, or rejects when the signal says so. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<unknown>;

export const wait: Wait = (ms, signal) => setTimeout(ms, undefined, { signal });

interface PendingOptions {
  readonly maxBatch: number;
  readonly maxDelayMs: number;
  readonly maxPending: number;
  readonly whenFull: "block" | "drop";
  readonly retry: Retry;
  readonly random: () => number;
  readonly wait: Wait;
  /** A write that takes longer has failed. */
  readonly writeTimeoutMs: number;
  readonly now: () => number;
  /** An end of a call found no room. Told once each time the queue becomes full. */
  readonly onFull: () => void;
  /** The sink has refused a batch. */
  readonly onFailure: (failures: number, error: unknown) => void;
}

/** The longest pause after a failed write, in milliseconds, while somebody waits for a flush. */
const FLUSHED_WAIT_MS = 500;

interface Pending {
  /** As it stood when it was recorded: the call is an object of the caller's, who may change it. */
  readonly event: UsageEvent;
  /** When the oldest event of this call was recorded that the sink has not acknowledged. */
  readonly recordedAt: number;
}

/** Somebody who waits for what was pending when they asked. */
interface Flush {
  readonly left: Set<string>;
  /** Ends the wait: the flush has succeeded where nothing is left. */
  readonly done: () => void;
}

/**
 * What the sink has not acknowledged yet, one event for each call. Written by one batch at a time.
 *
 * A batch that the sink refuses goes to the end of the queue, and the next batch is half as large, down to a single event. An
 * event that is refused by itself is written by itself from then on, whenever nothing else is due. So an event that the sink can
 * never take is tried for ever, but hardly holds up the others.
 */
export class PendingEvents {
  readonly #sink: LedgerSink;
  readonly #options: PendingOptions;
  readonly #batches: Batches;
  /** INVARIANT: an entry leaves only when the sink has acknowledged that very entry. */
  readonly #pending = new Map<string, Pending>();
  /** Ids to be written, in their order. The rest of `#pending` is in a batch that is still filling. */
  readonly #due = new Set<string>();
  /** Ids that the sink has refused alone. */
  readonly #refused = new Set<string>();
  /** Under `block`, the ends of calls that found no room, each with the function that lets its settle go on. */
  readonly #waiting: (Pending & { readonly admit: () => void })[] = [];
  readonly #flushes = new Set<Flush>();
  readonly #stop = new AbortController();
  /** Ends the pauses after a failure. */
  #resumed = new AbortController();
  #isWriting = false;
  /** Whether the events in `#refused` are waiting for their next try. */
  #isResting = false;
  /** Failed writes in a row, and those of refused events apart: a success of the others says nothing about these. */
  #failures = 0;
  #refusals = 0;
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
    return this.#failures + this.#refusals;
  }

  /** When the event was recorded that has waited longest. */
  get oldestRecordedAt(): number | undefined {
    for (const { recordedAt } of this.#pending.values()) return recordedAt;
    return undefined;
  }

  /** Notes the beginning of a call, or an extension. Beginnings take at most half of the room: ends matter more. */
  begin(call: LedgerCall): void {
    if (this.#stop.signal.aborted) return;
    const known = this.#pending.get(call.id);
    if (known === undefined && this.#pending.size * 2 >= this.#options.maxPending) return;
    const event = usageEventOf(call, undefined);
    // A replayed request id may tell of the reservation as it was before it was extended.
    if (known !== undefined && !replaces(event, known.event)) return;
    this.#put({ event, recordedAt: known?.recordedAt ?? this.#options.now() });
  }

  /**
   * Notes the end of a call. After {@link stop} it counts as dropped.
   *
   * @returns under `block`, a promise where the end has to wait for room
   */
  end(call: LedgerCall, end: CallEnd): Promise<void> | undefined {
    const event = usageEventOf(call, end);
    const known = this.#pending.get(event.id);
    if (known !== undefined && !replaces(event, known.event)) return undefined;
    if (this.#stop.signal.aborted) {
      this.#dropped++;
      return undefined;
    }
    const entry = { event, recordedAt: known?.recordedAt ?? this.#options.now() };
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

  /**
   * Writes what is pending now, without waiting for its batch to fill or for a pause to end.
   *
   * @param until aborted when the caller gives up waiting
   * @returns whether all of it is acknowledged
   */
  async flush(until: AbortSignal): Promise<boolean> {
    const left = new Set([...this.#pending.keys(), ...this.#waiting.map(({ event }) => event.id)]);
    if (left.size === 0) return true;
    if (until.aborted || this.#stop.signal.aborted) return false;
    return new Promise((resolve) => {
      const done = () => {
        this.#flushes.delete(flush);
        until.removeEventListener("abort", done);
        resolve(left.size === 0);
      };
      const flush = { left, done };
      this.#flushes.add(flush);
      until.addEventListener("abort", done);
      this.#write(left);
      this.#resumed.abort();
      this.#resumed = new AbortController();
    });
  }

  /** Ends all writing. Returns how many events are still pending and so lost. */
  stop(): number {
    this.#stop.abort();
    for (const { admit } of this.#waiting) admit();
    for (const { done } of this.#flushes) done();
    return this.size;
  }

  #put(entry: Pending): void {
    const { id } = entry.event;
    const isNew = !this.#pending.has(id);
    this.#pending.set(id, entry);
    if (isNew) this.#batches.add(id);
  }

  #write(ids: Iterable<string>): void {
    for (const id of ids) if (this.#pending.has(id) && !this.#refused.has(id)) this.#due.add(id);
    if (!this.#isWriting) this.#writeDue();
  }

  async #writeDue(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#hasNext() && !this.#stop.signal.aborted) await this.#writeNext();
    } finally {
      this.#isWriting = false; // without a pause since `#hasNext` said that nothing is due
    }
  }

  #hasNext(): boolean {
    return this.#due.size > 0 || (this.#refused.size > 0 && !this.#isResting);
  }

  async #writeNext(): Promise<void> {
    const isRefused = this.#due.size === 0;
    const size = Math.max(1, Math.floor(this.#options.maxBatch / 2 ** this.#failures));
    const batch = isRefused ? this.#take(this.#refused, 1) : this.#take(this.#due, size);
    if (batch.length === 0) return; // all of it was acknowledged since it became due
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
    this.#acknowledge(batch);
  }

  /** A write that took too long may still be done, and is sent again: a sink takes the same events twice, and in any order. */
  async #writeInTime(batch: readonly Pending[]): Promise<void> {
    const { writeTimeoutMs } = this.#options;
    const answered = new AbortController();
    const timer = setTimeout(writeTimeoutMs, undefined, { signal: answered.signal, ref: false });
    const late = timer.then(() => {
      throw new LedgerUnavailableError(`the sink did not answer within ${writeTimeoutMs} ms`);
    });
    // Copies, since a sink may change what it is given, and what it refuses is sent again.
    const events = batch.map(({ event }) => ({ ...event, tags: { ...event.tags } }));
    const write = async () => this.#sink.write(events);
    try {
      await Promise.race([write(), late]);
    } finally {
      answered.abort();
    }
  }

  #putBack(batch: readonly Pending[]): void {
    for (const { event } of batch) {
      if (batch.length > 1) this.#due.add(event.id);
      else {
        this.#refused.add(event.id);
        this.#due.delete(event.id); // a flush may have put it there meanwhile
      }
    }
  }

  #take(ids: Set<string>, size: number): Pending[] {
    const batch: Pending[] = [];
    for (const id of ids) {
      if (batch.length === size) break;
      ids.delete(id);
      const entry = this.#pending.get(id);
      if (entry !== undefined) batch.push(entry);
    }
    return batch;
  }

  #acknowledge(batch: readonly Pending[]): void {
    for (const entry of batch) {
      const { id } = entry.event;
      // A call may have ended while its beginning was being written.
      if (this.#pending.get(id) === entry) {
        this.#pending.delete(id);
        this.#tell(id);
      } else this.#due.add(id);
    }
    while (this.#pending.size < this.#options.maxPending) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#put(next);
      this.#due.add(next.event.id); // it has waited long enough
      next.admit();
    }
    if (this.#pending.size < this.#options.maxPending) this.#isFull = false;
  }

  #tell(id: string): void {
    for (const { left, done } of this.#flushes) {
      left.delete(id);
      if (left.size === 0) done();
    }
  }

  /** Waits before the next try of a refused event, while others are written. */
  async #rest(): Promise<void> {
    this.#isResting = true;
    await this.#pause(this.failures);
    this.#isResting = false;
    if (!this.#isWriting) this.#writeDue();
  }

  async #pause(failures: number): Promise<void> {
    const { retry, random, wait } = this.#options;
    const ms = backoffMs(retry, failures, random());
    const signal = AbortSignal.any([this.#stop.signal, this.#resumed.signal]);
    try {
      // A flush gives up soon, so for its sake the sink is tried more often.
      await wait(this.#flushes.size > 0 ? Math.min(ms, FLUSHED_WAIT_MS) : ms, signal);
    } catch (reason) {
      if (!signal.aborted) throw reason;
    }
  }
}
