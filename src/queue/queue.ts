import type { Admission } from "../gate/call/admission.js";
import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Usage } from "../model/usage.js";
import { CallQueue } from "./call-queue.js";
import type { QueueEvents } from "./events.js";
import { gateFrom, type QueuedGate, type QueueOptions, settingsFrom, type WaitOptions } from "./options.js";
import type { QueueStatus } from "./queue-status.js";

/** Waits where the gate refuses only for now. Made by {@link createQueue}. */
export interface Queue {
  /**
   * The answer of `gate.admit`, waited for while waiting helps. A refusal is the gate's own; or `queue_full`, or
   * `queue_timeout` where there was no room within `maxWaitMs`. If the gate is being asked just then, its answer decides.
   *
   * @throws what the gate throws; ClosedError once the queue is closed; the signal's reason once it is aborted
   */
  admit(key: KeyRef, usage: Usage, options?: WaitOptions): Promise<Admission>;
  status(): QueueStatus;
  /**
   * Adds a listener; the returned function removes it.
   *
   * @throws ValidationError where there is no such event
   */
  on<E extends keyof QueueEvents>(event: E, listener: (event: QueueEvents[E]) => void): () => void;
  /**
   * Rejects every call that waits with ClosedError, and resolves once what was being reserved for one of them is given
   * back, but for calls with a `requestId`: another call may have their reservation. The gate stays open.
   */
  close(): Promise<void>;
}

/**
 * Makes a queue before a gate, for callers who would rather wait than be refused.
 *
 * @throws ValidationError naming the option that is wrong
 */
export function createQueue(gate: QueuedGate, options: QueueOptions = {}): Queue {
  const queue = new CallQueue(gateFrom(gate), settingsFrom(options));
  return {
    admit: (key, usage, wait = {}) => queue.admit(key, usage, wait),
    status: () => queue.status(),
    on: (event, listener) => queue.events.on(event, listener),
    close: () => queue.close(),
  };
}
