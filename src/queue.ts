export type { QueueOutcome } from "./queue/call.js";
export type { QueueEvents } from "./queue/events.js";
export type { QueuedGate, QueueOptions, WaitOptions } from "./queue/options.js";
export { createQueue, type Queue } from "./queue/queue.js";
export type { QueueStatus } from "./queue/queue-status.js";
export { systemTimers, type Timers } from "./queue/timers.js";
