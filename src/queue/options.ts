import * as z from "zod";
import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Gate } from "../gate/gate.js";
import { msSchema } from "../model/milliseconds.js";
import { plainUsage } from "../model/plain-usage.js";
import { type Usage, usageSchema } from "../model/usage.js";
import { aFunction, having, parse, wholeNumber } from "../model/validation.js";
import { systemTimers, type Timers } from "./timers.js";
import { PRIORITIES } from "./turns.js";

/** Options of {@link createQueue}: who may wait, and for how long. */
export interface QueueOptions {
  /**
   * How long a call may wait for room, in milliseconds from 1 to 2,147,483,647. Default: 30,000. The time that the gate
   * takes to answer comes on top: while it is being asked, its answer decides.
   */
  readonly maxWaitMs?: number | undefined;
  /** The most calls that may wait at once, over all keys: 1 to 1,000,000. Default: 1,000. */
  readonly maxQueued?: number | undefined;
  /** The most calls admitted through this queue that may be unsettled at once: 1 to 1,000,000. Default: no limit. */
  readonly maxInFlight?: number | undefined;
  /**
   * Returns the priority of a call that does not give its own: a whole number from 0, which goes first, to 9. Default:
   * 5.
   *
   * Priorities order the calls of one key. The keys themselves take turns.
   */
  readonly priority?: ((key: KeyRef, usage: Usage) => number) | undefined;
  /**
   * How often the gate is asked again about a call that waits for a slot of an in-flight limit, which another process
   * may free, in milliseconds from 1 to 2,147,483,647. Default: 1,000. A slot that this gate frees is noticed at once.
   */
  readonly pollMs?: number | undefined;
  /** The time to wait by, for tests. Default: {@link systemTimers}. */
  readonly timers?: Timers | undefined;
}

/** Options of a single call. */
export interface WaitOptions {
  /** Aborting it takes the call out of the queue. */
  readonly signal?: AbortSignal | undefined;
  /** A whole number from 0, which goes first, to 9. Default: what `QueueOptions.priority` returns. */
  readonly priority?: number | undefined;
}

/** What a queue needs of a gate. */
export type QueuedGate = Pick<Gate, "admit" | "check" | "release" | "on">;

export interface QueueSettings {
  readonly maxWaitMs: number;
  readonly maxQueued: number;
  readonly maxInFlight: number;
  readonly priority: (key: KeyRef, usage: Usage) => number;
  readonly pollMs: number;
  readonly timers: Timers;
}

const count = wholeNumber(1, 1_000_000);
const prioritySchema = wholeNumber(0, PRIORITIES - 1);

const optionsSchema = z.strictObject({
  maxWaitMs: msSchema.optional(),
  maxQueued: count.optional(),
  maxInFlight: count.optional(),
  priority: aFunction<QueueSettings["priority"]>().optional(),
  pollMs: msSchema.optional(),
  timers: having<Timers>("now", "after").optional(),
});

const waitSchema = z.strictObject({
  signal: having<AbortSignal>("addEventListener", "removeEventListener", "throwIfAborted").optional(),
  priority: prioritySchema.optional(),
});

const DEFAULT_PRIORITY = 5;

const gateSchema = having<QueuedGate>("admit", "check", "release", "on");

/** @throws ValidationError if a queue cannot stand in front of it */
export function gateFrom(gate: QueuedGate): QueuedGate {
  return parse(gateSchema, gate, "gate");
}

/** @throws ValidationError naming the option that is wrong */
export function settingsFrom(options: QueueOptions): QueueSettings {
  const given = parse(optionsSchema, options, "options");
  return {
    maxWaitMs: given.maxWaitMs ?? 30_000,
    maxQueued: given.maxQueued ?? 1_000,
    maxInFlight: given.maxInFlight ?? Number.POSITIVE_INFINITY,
    priority: given.priority ?? (() => DEFAULT_PRIORITY),
    pollMs: given.pollMs ?? 1_000,
    timers: given.timers ?? systemTimers,
  };
}

/** @throws ValidationError naming what is wrong with the call's signal or priority */
export function waitOf(
  settings: QueueSettings,
  key: KeyRef,
  usage: Usage,
  options: WaitOptions,
): { readonly signal: AbortSignal | undefined; readonly priority: number } {
  const { signal, priority } = parse(waitSchema, options, "options");
  if (priority !== undefined) return { signal, priority };
  return { signal, priority: parse(prioritySchema, settings.priority(key, usage), "options.priority()") };
}

/**
 * What a call asks the gate, read at once: the gate is asked more than once, and the caller may change its objects
 * meanwhile. A wrong key is left to the gate to refuse.
 *
 * @throws ValidationError naming what is wrong with the usage
 */
export function askedOf(key: KeyRef, usage: Usage): { readonly key: KeyRef; readonly usage: Usage } {
  const isPlain = typeof key === "object" && key !== null && Object.keys(key).join() === "keyId";
  return {
    key: isPlain ? { keyId: key.keyId } : key,
    usage: plainUsage(usage) ?? parse(usageSchema, usage, "usage"),
  };
}
