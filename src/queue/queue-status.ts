/** How full a queue is. */
export interface QueueStatus {
  /** How many calls wait. */
  readonly waiting: number;
  /** How many keys have calls that wait. */
  readonly keys: number;
  /** How long the oldest of these calls has waited, in milliseconds. 0 if none waits. */
  readonly longestWaitMs: number;
}
