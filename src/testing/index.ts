export { Audit, type AuditReport } from "./audit.js";
export { type GenerateOptions, generateTrace } from "./generate-trace.js";
export { ManualClock } from "./manual-clock.js";
export * from "./policy/index.js";
export { type EventRecording, type RecordedEvent, recordEvents } from "./recording.js";
export {
  type AssignedCall,
  type Caller,
  type ReplayOptions,
  type ReplaySetup,
  type ReplayStep,
  replay,
} from "./replay.js";
export type { CallerResult, LimitResult, ReasonCounts, ReplayResult } from "./replay-result.js";
export { HOSTED_MODEL, type ReplyTime } from "./reply-time.js";
export { parseTrace, type TraceCall } from "./trace.js";
export { type Client, trafficMix } from "./traffic-mix.js";
