import * as z from "zod";
import { errorName } from "../model/error-name.js";
import { LedgerUnavailableError, ValidationError } from "../model/errors.js";
import { EventHub } from "../model/event-hub.js";
import type { ReportQuery } from "../model/inputs/report.js";
import { msSchema } from "../model/milliseconds.js";
import { aFunction, having, parse, wholeNumber } from "../model/validation.js";
import { type Wait, wait } from "./event-writer.js";
import { PendingEvents } from "./pending-events.js";
import { type Report, reportOver } from "./report.js";
import type { LedgerSink, ReadableSink, ReportScope } from "./sink.js";
import { inTime } from "./time-limit.js";
import type { CallEnd, LedgerCall, UsageEvent } from "./usage-event.js";

/** Options of {@link createLedger}. Only `sink` is required. Times are whole milliseconds from 1 to 2,147,483,647. */
export interface LedgerOptions {
  /** Where events are kept: a sink, or a function that takes events and resolves once they are kept. */
  readonly sink: LedgerSink | ((events: readonly UsageEvent[]) => Promise<void>);
  /** The most events in one write, 1 to 10,000,000. Default: 500. */
  readonly maxBatch?: number | undefined;
  /** How long an event waits for others to share a write, in milliseconds. Default: 1,000. */
  readonly maxDelayMs?: number | undefined;
  /** The most events to hold in memory, 1 to 10,000,000. Default: 100,000. */
  readonly maxPending?: number | undefined;
  /**
   * What happens to the end of a call while `maxPending` events wait: `drop` loses it and counts it in `dropped`;
   * `block` makes the settle, once counted, wait for room before it answers. Admissions never wait. Default: `drop`.
   */
  readonly whenFull?: "block" | "drop" | undefined;
  /**
   * How long to wait after a failed write, in milliseconds: `baseMs` at first, growing to at most `maxMs`. Defaults:
   * 100 and 30,000.
   */
  readonly retry?: { readonly baseMs?: number | undefined; readonly maxMs?: number | undefined } | undefined;
  /**
   * How long a write may take, in milliseconds. A write that takes longer has failed and is retried, so that a sink
   * that hangs is noticed. Default: 30,000.
   */
  readonly writeTimeoutMs?: number | undefined;
  /**
   * How long `close` and `flush` try to write what is pending, in milliseconds. `close` then waits as long again for
   * the sink to close. Default: 10,000.
   */
  readonly closeTimeoutMs?: number | undefined;
  /** The source of the time, in epoch milliseconds. Default: `Date`. */
  readonly clock?: { now(): number } | undefined;
  /** Returns a number from 0 to below 1, to spread the retries of many processes. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Waits for some milliseconds, or rejects when the signal is aborted. Default: a timer. */
  readonly wait?: Wait | undefined;
}

/**
 * The events of a ledger. `at` is in epoch milliseconds, `pending` counts events that the sink has not acknowledged.
 */
export interface LedgerEvents {
  /** An event found no room. Emitted once each time the ledger becomes full. */
  full: {
    readonly at: number;
    readonly pending: number;
    /** Events lost so far, including this one. 0 under `block`. */
    readonly dropped: number;
    readonly policy: "block" | "drop";
  };
  /** The sink did not take a batch. It is retried. */
  failing: {
    readonly at: number;
    /** Failed writes in a row. */
    readonly failures: number;
    readonly pending: number;
    /** What the sink threw. It may contain what was being written. */
    readonly error: unknown;
  };
}

/** How far the sink is behind. */
export interface LedgerStatus {
  /** Events that the sink has not acknowledged. */
  readonly pending: number;
  /** How long the oldest of them has waited, in milliseconds. 0 if none waits. */
  readonly lagMs: number;
  /** Events lost because the ledger was full or closed. */
  readonly dropped: number;
  /** Failed writes in a row. */
  readonly failures: number;
}

/**
 * Records what was spent: one event for each admitted call, written behind the call. Made by {@link createLedger} and
 * passed to `createGate`, which reports every call to it.
 */
export interface Ledger {
  /** Records that a call was admitted or extended. */
  opened(call: LedgerCall): void;
  /**
   * Records the end of a call.
   *
   * @returns a promise if it has to wait for room
   */
  closed(call: LedgerCall, end: CallEnd): Promise<void> | undefined;
  /**
   * Adds up what was spent, by the time of admission. It checks no permission; `gate.as(who).ledger.report` does.
   *
   * @param within count only what lies in one of these scopes, which must not overlap. Default: the whole query.
   * @throws ValidationError naming the field that is wrong, or if the sink cannot be read
   */
  report(query: ReportQuery, within?: readonly ReportScope[]): Promise<Report>;
  /** The sink, if it can be read. */
  readonly readable: ReadableSink | undefined;
  /** How far the sink is behind now. */
  status(): LedgerStatus;
  /**
   * Waits until the sink has acknowledged everything recorded so far. What is recorded meanwhile is not waited for.
   *
   * @throws LedgerUnavailableError if the sink did not take all of it within `closeTimeoutMs`, or the ledger is closed
   *   first
   */
  flush(): Promise<void>;
  /**
   * Adds a listener.
   *
   * @returns a function that removes the listener
   * @throws ValidationError if there is no such event, or the listener is not a function
   */
  on<E extends keyof LedgerEvents>(event: E, listener: (event: LedgerEvents[E]) => void): () => void;
  /**
   * Writes what is pending, and what is recorded meanwhile, and closes the sink.
   *
   * @throws LedgerUnavailableError if the sink did not take everything within `closeTimeoutMs`, or did not close within
   *   that time. The first is reported before the second.
   * @throws what the sink throws when it is closed
   */
  close(): Promise<void>;
}

const count = wholeNumber(1, 10_000_000);

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

  /** Does what takes at most `closeTimeoutMs`: then its signal aborts. */
  async function untilDeadline<T>(work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), closeTimeoutMs);
    try {
      return await work(deadline.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async function drain(): Promise<void> {
    await untilDeadline(async (deadline) => {
      let goesOn = true; // more may be recorded while the rest is written
      while (goesOn && pending.size > 0) goesOn = await pending.flush(deadline);
    });
    const lost = pending.stop();
    const limit = { ms: closeTimeoutMs, late: "was not closed", ref: true };
    const closing = inTime(() => sink.close?.(), limit);
    const failed = await closing.catch((error: unknown) => ({ error }));
    // Thrown before what the sink throws: a sink that takes no events seldom closes without an error.
    if (lost > 0) throw new LedgerUnavailableError(`${counted(lost, "was", "were")} not written`);
    if (failed) throw failed.error;
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
      if (!(await untilDeadline((deadline) => pending.flush(deadline))))
        throw new LedgerUnavailableError(`${counted(pending.size, "is", "are")} not written yet`);
    },
    on: (event, listener) => events.on(event, listener),
    close() {
      closed ??= drain();
      return closed;
    },
  };
}

/** The clock in whole milliseconds, like that of a gate: no column of a database takes others. */
function wholeMs(clock: { now(): number }): { now(): number } {
  return { now: () => Math.floor(clock.now()) };
}

/** For example "1 usage event was" or "2 usage events were". */
function counted(events: number, one: string, many: string): string {
  return events === 1 ? `1 usage event ${one}` : `${events} usage events ${many}`;
}

function warnOfListener(_event: string, error: unknown): void {
  process.emitWarning(`A listener of the ledger threw: ${errorName(error)}`, "TollgateWarning");
}

function isReadable(sink: LedgerSink): sink is ReadableSink {
  return sink.sum !== undefined && sink.open !== undefined;
}

/** The error for a sink that can only be written to. */
export function unreadable(): ValidationError {
  return new ValidationError([{ field: "options.sink", expected: "a sink that can be read" }]);
}
