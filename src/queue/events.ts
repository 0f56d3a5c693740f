import type { QueueOutcome } from "./call.js";

/** What a queue tells its listeners, by event. No event holds a token. */
export interface QueueEvents {
  /** A call waits: the gate has no room for it, or others of its key came before it. */
  queued: {
    readonly priority: number;
    /** Calls that wait now, this one included. */
    readonly depth: number;
    /** The key, where it was named by its id. */
    readonly keyId?: string;
  };
  /** A call that waited has its answer, or one found the queue full and never waited. */
  left: {
    readonly outcome: QueueOutcome;
    readonly priority: number;
    /** How long it was in the queue. */
    readonly waitedMs: number;
    /** Calls that wait now. */
    readonly depth: number;
    /** The key, where it was named by its id. */
    readonly keyId?: string;
  };
}
