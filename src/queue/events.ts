import type { QueueOutcome } from "./call.js";

/** The events of a queue. No event contains a token. */
export interface QueueEvents {
  /** A call starts to wait: the gate has no room for it, or other calls of its key came first. */
  queued: {
    /** From 0, which goes first, to 9. */
    readonly priority: number;
    /** How many calls wait now, including this one. */
    readonly depth: number;
    /** The key's id, if the call named the key by its id. */
    readonly keyId?: string;
  };
  /** A call that waited has its answer, or a call found the queue full and never waited. */
  left: {
    /** How it left. */
    readonly outcome: QueueOutcome;
    /** From 0, which goes first, to 9. */
    readonly priority: number;
    /** How long it was in the queue, in milliseconds. */
    readonly waitedMs: number;
    /** How many calls wait now. */
    readonly depth: number;
    /** The key's id, if the call named the key by its id. */
    readonly keyId?: string;
  };
}
