export { Audit, type AuditReport } from "./testing/audit.js";
export {
  type CallAnswer,
  type CallChange,
  type CallerComparison,
  compareReplays,
  type LimitComparison,
  type ReplayComparison,
} from "./testing/compare-replays.js";
export { comparisonToMarkdown } from "./testing/comparison-markdown.js";
export type { ConformanceCase } from "./testing/conformance/case.js";
export {
  type CountersConformanceOptions,
  countersConformance,
  type MakeCounters,
} from "./testing/conformance/counters.js";
export { type CountersTrace, traceCounters } from "./testing/conformance/counters-trace.js";
export type { CountersClock } from "./testing/conformance/counters-trial.js";
export {
  directoryConformance,
  type KnownDirectory,
  type MakeDirectory,
} from "./testing/conformance/directory.js";
export { type MakeStorage, storageConformance } from "./testing/conformance/storage.js";
export { directoryOf, type TestDirectory } from "./testing/directory.js";
export { type GenerateOptions, generateTrace } from "./testing/generate-trace.js";
export { A_KEY, aKeyChain, anOrg, aProject, type ChainParts } from "./testing/key-chain.js";
export { ManualClock } from "./testing/manual-clock.js";
export * from "./testing/policy/index.js";
export { type EventRecording, type RecordedEvent, recordEvents } from "./testing/recording.js";
export { type AssignedCall, type ReplayOptions, type ReplaySetup, replay } from "./testing/replay.js";
export type { CallerResult, LimitResult, ReasonCounts, ReplayResult } from "./testing/replay-result.js";
export { type Caller, callerOf, type ReplayStep } from "./testing/replay-step.js";
export { HOSTED_MODEL, type ReplyTime } from "./testing/reply-time.js";
export { parseTrace, type TraceCall } from "./testing/trace.js";
export { type Client, trafficMix } from "./testing/traffic-mix.js";
