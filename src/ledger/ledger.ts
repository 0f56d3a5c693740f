import * as z from "zod";
import { errorName } from "../model/error-name.js";
import { LedgerUnavailableError, ValidationError } from "../model/errors.js";
import { EventHub } from "../model/event-hub.js";
import { msSchema } from "../model/milliseconds.js";
import { aFunction, having, parse } from "../model/validation.js";
import { type Wait, wait } from "./event-writer.js";
import { PendingEvents } from "./pending-events.js";
import { type Report, type ReportQuery, type ReportScope, reportOver } from "./report.js";
import type { LedgerSink, ReadableSink } from "./sink.js";
import type { CallEnd, LedgerCall, UsageEvent } from "./usage-event.js";

/** How a ledger is made. Only `sink` has to be given. */
export interface LedgerOptions {
  /** Where events are kept: a sink, or a function that takes events over and resolves once they are kept. */
  readonly sink: LedgerSink | ((events: readonly UsageEvent[]) => Promise<void>);
  /** Most events of one write; 500 by default. */
  readonly maxBatch?: number | undefined;
  /** How long an event waits for others, in milliseconds; 1,000 by default. */
  readonly maxDelayMs?: number | undefined;
  /** Most events in memory; 100,000 by default. */
  readonly maxPending?: number | undefined;
  /**
   * What becomes of the end of a call when as many are pending: `drop` loses it and counts it (the default); with `block`
   * the settle is counted and answers once there is room. Admissions never wait.
   */
  readonly whenFull?: "block" | "drop" | undefined;
  /** Waits after a failed write, in milliseconds: the first, and the longest. 100 and 30,000 by default. */
  readonly retry?: { readonly baseMs?: number | undefined; readonly maxMs?: number | undefined } | undefined;
  /**
   * How long a write may take, in milliseconds; 30,000 by default. One that takes longer has failed and is tried again, so
   * that a sink which hangs is noticed.
   */
  readonly writeTimeoutMs?: number | undefined;
  /**
   * How long `close` and `flush` try to write what is pending, in milliseconds; 10,000 by default. `close` waits as long again
   * for the sink to close.
   */
  readonly closeTimeoutMs?: number | undefined;
  /** Tells the time in epoch milliseconds; `Date` by default. */
  readonly clock?: { now(): number } | undefined;
  /** A number from 0 to below 1, to spread the retries of many processes; `Math.random` by default. */
  readonly random?: (() => number) | undefined;
  /** Waits for milliseconds, or rejects when the signal says so; a timer by default. */
  readonly wait?: Wait | undefined;
}

/** What a ledger tells its listeners. */
export interface LedgerEvents {
  /** The queue is full; told once each time it becomes so. */
  full: {
    readonly at: number;
    readonly pending: number;
    /** Events lost so far, the one that was too much included; none under `block`. */
    readonly dropped: number;
    readonly policy: "block" | "drop";
  };
  /** The sink did not take a batch; it is tried again. */
  failing: {
    readonly at: number;
    /** In a row. */
    readonly failures: number;
    readonly pending: number;
    /** What the sink threw: it may hold what was written. */
    readonly error: unknown;
  };
}

/** How far the sink is behind. */
export interface LedgerStatus {
  /** Events that the sink has not acknowledged. */
  readonly pending: number;
  /** For how long the event has waited that has waited longest, in milliseconds; 0 where none waits. */
  readonly lagMs: number;
  /** Events lost because the queue was full, or the ledger closed. */
  readonly dropped: number;
  /** Failed writes in a row. */
  readonly failures: number;
}

/**
 * What was spent: an event for each admitted call, written behind the call. Made by {@link createLedger}, and handed to
 * `createGate`, which tells it of every call.
 */
export interface Ledger {
  /** Notes a call that was admitted or extended. */
  opened(call: LedgerCall): void;
  /** Notes the end of a call; a promise where it has to wait for room. */
  closed(call: LedgerCall, end: CallEnd): Promise<void> | undefined;
  /**
   * Adds up what was spent, by the time of admission. Checks no permission: `gate.as(who).ledger.report` does.
   *
   * @param within only what lies in one of these; they must not overlap
   * @throws ValidationError naming the field that is wrong, or where the sink cannot be read
   */
  report(query: ReportQuery, within?: readonly ReportScope[]): Promise<Report>;
  /** The sink, where it can be read. */
  readonly readable: ReadableSink | undefined;
  status(): LedgerStatus;
  /**
   * Resolves once everything recorded so far is acknowledged by the sink; what is recorded meanwhile is not waited for.
   *
   * @throws LedgerUnavailableError where the sink did not take all of it in `closeTimeoutMs`, or the ledger is closed first
   */
  flush(): Promise<void>;
  /**
   * Adds a listener; the returned function removes it.
   *
   * @throws ValidationError where there is no such event, or the listener is no function
   */
  on<E extends keyof LedgerEvents>(event: E, listener: (event: LedgerEvents[E]) => void): () => void;
  /**
   * Writes what is pending and closes the sink.
   *
   * @throws LedgerUnavailableError where the sink did not take all of it in `closeTimeoutMs`, which is told before all, or was
   * not closed in that time; what the sink throws when it is closed
   */
  close(): Promise<void>;
}

const COUNT = "a whole number from 1 to 10,000,000";
const count = z.int({ error: COUNT }).min(1, { error: COUNT }).max(10_000_000, { error: COUNT });

const optionsSchema = z.strictObject({
  sink: z.custom<LedgerOptions["sink"]>(
    (value) => typeof value === "function" || typeof Object(value).write === "function",
    { error: "a function, or an object with write" },
  ),
  maxBatch: count.optional(),
  maxDelayMs: msSchema.optional(),
  maxPending: count.optional(),
  whenFull: z.enum(["block", "drop"]).optional(),
  retry: z.strictObject({ baseMs: msSchema.optional(), maxMs: msSchema.optional() }).optional(),
  writeTimeoutMs: msSchema.optional(),
  closeTimeoutMs: msSchema.optional(),
  clock: having<{ now(): number }>("now").optional(),
  random: aFunction<() => number>().optional(),
  wait: aFunction<Wait>().optional(),
});

/**
 * Makes a ledger.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function createLedger(options: LedgerOptions): Ledger {
  const given = parse(optionsSchema, options, "options");
  const sink: LedgerSink = typeof given.sink === "function" ? { write: given.sink } : given.sink;
  const { whenFull = "drop", closeTimeoutMs = 10_000 } = given;
  const clock = wholeMs(given.clock ?? Date);
  const events = new EventHub<LedgerEvents>({ full: true, failing: true }, warnOfListener);
  const pending = new PendingEvents(sink, {
    maxBatch: given.maxBatch ?? 500,
    maxDelayMs: given.maxDelayMs ?? 1_000,
    maxPending: given.maxPending ?? 100_000,
    whenFull,
    retry: { baseMs: given.retry?.baseMs ?? 100, maxMs: given.retry?.maxMs ?? 30_000 },
    random: given.random ?? Math.random,
    wait: given.wait ?? wait,
    writeTimeoutMs: given.writeTimeoutMs ?? 30_000,
    now: () => clock.now(),
    onFull() {
      const { size, dropped } = pending;
      events.emit("full", { at: clock.now(), pending: size, dropped, policy: whenFull });
    },
    onFailure(failures, error) {
      events.emit("failing", { at: clock.now(), failures, pending: pending.size, error });
    },
  });
  const readable = isReadable(sink) ? sink : undefined;
  let closed: Promise<void> | undefined;

  /** Whether all that is pending was written in time. */
  async function flushed(): Promise<boolean> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), closeTimeoutMs);
    try {
      return await pending.flush(deadline.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async function drain(): Promise<void> {
    await flushed();
    const lost = pending.stop();
    const failed = await sinkClosed().catch((error: unknown) => ({ error }));
    // Told before what the sink throws: one that takes no events seldom closes without an error.
    if (lost > 0) throw new LedgerUnavailableError(`${counted(lost, "was", "were")} not written`);
    if (failed) throw failed.error;
  }

  async function sinkClosed(): Promise<void> {
    const closed = new AbortController();
    const timer = wait(closeTimeoutMs, closed.signal);
    const late = timer.then(() => {
      throw new LedgerUnavailableError(`the sink was not closed within ${closeTimeoutMs} ms`);
    });
    try {
      await Promise.race([sink.close?.(), late]);
    } finally {
      closed.abort();
    }
  }

  return {
    opened: (call) => pending.begin(call),
    closed: (call, end) => pending.end(call, end),
    async report(query, within) {
      if (readable === undefined) throw unreadable();
      return reportOver(readable, query, clock.now(), within);
    },
    readable,
    status() {
      const { size, dropped, failures, oldestRecordedAt } = pending;
      const lagMs = oldestRecordedAt === undefined ? 0 : Math.max(0, clock.now() - oldestRecordedAt);
      return { pending: size, lagMs, dropped, failures };
    },
    async flush() {
      if (!(await flushed()))
        throw new LedgerUnavailableError(`${counted(pending.size, "is", "are")} not written yet`);
    },
    on: (event, listener) => events.on(event, listener),
    close() {
      closed ??= drain();
      return closed;
    },
  };
}

/** The clock in whole milliseconds, as a gate takes its own: no column of a database takes others. */
function wholeMs(clock: { now(): number }): { now(): number } {
  return { now: () => Math.floor(clock.now()) };
}

/** Such as "1 usage event was", "2 usage events were". */
function counted(events: number, one: string, many: string): string {
  return events === 1 ? `1 usage event ${one}` : `${events} usage events ${many}`;
}

function warnOfListener(_event: string, error: unknown): void {
  process.emitWarning(`A listener of the ledger threw: ${errorName(error)}`, "TollgateWarning");
}

function isReadable(sink: LedgerSink): sink is ReadableSink {
  return sink.sum !== undefined && sink.open !== undefined;
}

/** What is said where only events can be written. */
export function unreadable(): ValidationError {
  return new ValidationError([{ field: "options.sink", expected: "a sink that can be read" }]);
}
