export type { QueueOutcome } from "./queue/call.js";
export type { QueueEvents } from "./queue/events.js";
export type { QueueOptions, WaitOptions } from "./queue/options.js";
export { createQueue, type Queue, type QueuedGate, type QueueStatus } from "./queue/queue.js";
export { systemTimers, type Timers } from "./queue/timers.js";
