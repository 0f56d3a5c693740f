export * from "./core.js";
export type {
  Amount,
  Counters,
  NotOpen,
  ReadQuery,
  ReserveOutcome,
  ReserveRequest,
  SettleOutcome,
  SettleRequest,
} from "./counters/counters.js";
export { type MemoryCounters, memoryCounters } from "./counters/memory.js";
export type { Authentication } from "./gate/authenticating.js";
export type { Admission, Admitted } from "./gate/call/admission.js";
export type { Degraded, Reservation } from "./gate/call/reservation.js";
export type { Charged, Settlement } from "./gate/call/settlement.js";
export type { Directory } from "./gate/chain/directory.js";
export type { KeyRef } from "./gate/chain/key-resolver.js";
export { storageDirectory } from "./gate/chain/storage-directory.js";
export { createToken, hashToken } from "./gate/chain/token.js";
export type { Clock } from "./gate/clock.js";
export * from "./gate/control/index.js";
export type { CallContext, GateEvents, Listener } from "./gate/events/events.js";
export type { SpendVelocity } from "./gate/events/spend-velocity.js";
export { createGate, type Gate } from "./gate/gate.js";
export type { GateOptions, Unpriced } from "./gate/options.js";
export type {
  BudgetDifference,
  ReconcileQuery,
  Reconciliation,
  UnendedCall,
} from "./gate/reconcile/reconciliation.js";
export type { UsageQuery } from "./gate/usage-reading.js";
export type { Wait } from "./ledger/event-writer.js";
export {
  createLedger,
  type Ledger,
  type LedgerEvents,
  type LedgerOptions,
  type LedgerStatus,
} from "./ledger/ledger.js";
export { type MemoryLedgerSink, memoryLedgerSink } from "./ledger/memory-sink.js";
export type { Report, ReportRow, Spend } from "./ledger/report.js";
export { reportCsv } from "./ledger/report-csv.js";
export type {
  LedgerSink,
  OpenQuery,
  ReadableSink,
  ReportScope,
  SumField,
  SumQuery,
  Sums,
} from "./ledger/sink.js";
export { spendSvg } from "./ledger/spend-svg.js";
export {
  type CallEnd,
  type LedgerCall,
  type Outcome,
  TOKEN_KINDS,
  type Tokens,
  type UsageEvent,
} from "./ledger/usage-event.js";
export {
  type GateMetricsOptions,
  gateMetrics,
  type MeteredLedger,
  type MeteredQueue,
} from "./metrics/gate-metrics.js";
export type {
  MetricAttributes,
  MetricOptions,
  MetricsMeter,
  ObservableMetric,
  Observe,
} from "./metrics/meter.js";
export type { ScopeChain } from "./model/chain.js";
export type { ChargedPeriods } from "./model/charged-at.js";
export { INDEXES, type IndexedField } from "./storage/indexes.js";
export { memoryStorage } from "./storage/memory.js";
export type { AnyOf, Change, Changed, Page, Storage, Where } from "./storage/storage.js";
