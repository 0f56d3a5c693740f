import { type Batches, batches } from "./batches.js";
import { EventWriter, type WriterOptions } from "./event-writer.js";
import type { LedgerSink } from "./sink.js";
import { type CallEnd, type LedgerCall, replaces, type UsageEvent, usageEventOf } from "./usage-event.js";

interface PendingOptions extends WriterOptions {
  readonly maxDelayMs: number;
  readonly maxPending: number;
  readonly whenFull: "block" | "drop";
  readonly now: () => number;
  /** Called when the end of a call finds no room, once each time the queue becomes full. */
  readonly onFull: () => void;
}

interface Pending {
  /** The event as it was recorded. The call itself is the caller's object, which may change. */
  readonly event: UsageEvent;
  readonly recordedAt: number;
  /** When the oldest event of this call that the sink has not acknowledged was recorded. */
  readonly waitingSince: number;
}

/** A flush under way, which waits for what was pending when it was asked for. */
interface Flush {
  readonly left: Set<string>;
  /** Ends the wait. The flush has succeeded if nothing is left. */
  readonly done: () => void;
}

/** What the sink has not acknowledged yet: one event per call. */
export class PendingEvents {
  readonly #options: PendingOptions;
  readonly #batches: Batches;
  readonly #writer: EventWriter;
  /** INVARIANT: an entry leaves only when the sink has acknowledged that very event. */
  readonly #pending = new Map<string, Pending>();
  /** Under `block`, the ends of calls that found no room, each with a function that lets its settle go on. */
  readonly #waiting: (Pending & { readonly admit: () => void })[] = [];
  readonly #flushes = new Set<Flush>();
  #dropped = 0;
  #isFull = false;

  constructor(sink: LedgerSink, options: PendingOptions) {
    this.#options = options;
    this.#writer = new EventWriter(sink, options, {
      eventOf: (id) => this.#pending.get(id)?.event,
      onWritten: (batch) => this.#acknowledge(batch),
      isAwaited: () => this.#flushes.size > 0,
    });
    const { maxBatch: maxSize, maxDelayMs: maxAgeMs } = options;
    this.#batches = batches({ maxSize, maxAgeMs }, (ids) => this.#writer.write(ids));
  }

  /** How many events the sink has not acknowledged. */
  get size(): number {
    return this.#pending.size + this.#waiting.length;
  }

  /** How many ends of calls were not recorded because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  get failures(): number {
    return this.#writer.failures;
  }

  /** When the event that has waited longest was recorded. */
  get oldestRecordedAt(): number | undefined {
    let oldest: number | undefined;
    for (const { waitingSince } of this.#pending.values()) {
      if (oldest === undefined || waitingSince < oldest) oldest = waitingSince;
    }
    return oldest;
  }

  /** Records the beginning of a call, or an extension. Beginnings take at most half of the room, since ends matter more. */
  begin(call: LedgerCall): void {
    if (this.#writer.isStopped) return;
    const known = this.#pending.get(call.id);
    if (known === undefined && this.#pending.size * 2 >= this.#options.maxPending) return;
    const event = usageEventOf(call, undefined);
    // With a replayed request id, this may be the reservation as it was before it was extended.
    if (known !== undefined && !replaces(event, known.event)) return;
    this.#put(this.#entryOf(event, known));
  }

  /**
   * Records the end of a call. After {@link stop} it counts as dropped.
   *
   * @returns under `block`, a promise if the end has to wait for room
   */
  end(call: LedgerCall, end: CallEnd): Promise<void> | undefined {
    const event = usageEventOf(call, end);
    const known = this.#pending.get(event.id);
    if (known !== undefined && !replaces(event, known.event)) return undefined;
    if (this.#writer.isStopped) {
      this.#dropped++;
      return undefined;
    }
    const entry = this.#entryOf(event, known);
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
   * @param until aborts when the caller gives up waiting
   * @returns whether the sink has acknowledged all of it
   */
  async flush(until: AbortSignal): Promise<boolean> {
    const left = new Set([...this.#pending.keys(), ...this.#waiting.map(({ event }) => event.id)]);
    if (left.size === 0) return true;
    if (until.aborted || this.#writer.isStopped) return false;
    return new Promise((resolve) => {
      const done = () => {
        this.#flushes.delete(flush);
        until.removeEventListener("abort", done);
        resolve(left.size === 0);
      };
      const flush = { left, done };
      this.#flushes.add(flush);
      until.addEventListener("abort", done);
      this.#writer.write(left);
      this.#writer.resume();
    });
  }

  /** Ends all writing. Returns how many events are still pending, and are lost. */
  stop(): number {
    this.#batches.stop();
    this.#writer.stop();
    for (const { admit } of this.#waiting) admit();
    for (const { done } of this.#flushes) done();
    return this.size;
  }

  #entryOf(event: UsageEvent, known: Pending | undefined): Pending {
    const recordedAt = this.#options.now();
    return { event, recordedAt, waitingSince: known?.waitingSince ?? recordedAt };
  }

  #put(entry: Pending): void {
    const { id } = entry.event;
    const isNew = !this.#pending.has(id);
    this.#pending.set(id, entry);
    if (isNew) this.#batches.add(id);
  }

  #acknowledge(batch: readonly UsageEvent[]): void {
    for (const event of batch) {
      const { id } = event;
      const entry = this.#pending.get(id);
      if (entry === undefined || entry.event === event) {
        this.#pending.delete(id);
        this.#tell(id);
      } else {
        // The call has ended, or was extended, while its beginning was being written.
        this.#pending.set(id, { ...entry, waitingSince: entry.recordedAt });
        this.#writer.write([id]);
      }
    }
    while (this.#pending.size < this.#options.maxPending) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#put(next);
      this.#writer.write([next.event.id]); // it has waited long enough
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
}
