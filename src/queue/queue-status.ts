/** How full a queue is. */
export interface QueueStatus {
  /** Calls that wait. */
  readonly waiting: number;
  /** Keys whose calls wait. */
  readonly keys: number;
  /** How long the call has waited that has waited longest, in milliseconds; 0 where none waits. */
  readonly longestWaitMs: number;
}
