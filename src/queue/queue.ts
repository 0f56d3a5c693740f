import type { Admission } from "../gate/call/admission.js";
import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Usage } from "../model/usage.js";
import { CallQueue } from "./call-queue.js";
import type { QueueEvents } from "./events.js";
import { gateFrom, type QueuedGate, type QueueOptions, settingsFrom, type WaitOptions } from "./options.js";
import type { QueueStatus } from "./queue-status.js";

/** Waits when the gate refuses only for now. Made by {@link createQueue}. */
export interface Queue {
  /**
   * Asks the gate to admit a call, and waits as long as waiting can help.
   *
   * A refusal is the gate's own, or `queue_full`, or `queue_timeout` if there was no room within `maxWaitMs`. If the
   * gate is being asked at that moment, its answer decides.
   *
   * @param key the client's token, or the id of a key
   * @param usage what the call is about to use
   * @throws what the gate throws
   * @throws ValidationError naming the field or option that is wrong
   * @throws ClosedError once the queue is closed
   * @throws the signal's reason once the signal is aborted
   */
  admit(key: KeyRef, usage: Usage, options?: WaitOptions): Promise<Admission>;
  /** How full the queue is now. */
  status(): QueueStatus;
  /**
   * Adds a listener.
   *
   * @returns a function that removes the listener
   * @throws ValidationError if there is no such event, or the listener is not a function
   */
  on<E extends keyof QueueEvents>(event: E, listener: (event: QueueEvents[E]) => void): () => void;
  /**
   * Rejects every waiting call with ClosedError, and waits until reservations being made for them are given back. Those
   * of calls with a `requestId` are not given back, since another call may have them. The gate stays open.
   */
  close(): Promise<void>;
}

/**
 * Makes a queue in front of a gate, for callers who would rather wait than be refused.
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
