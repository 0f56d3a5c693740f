export type { Charge, Reading } from "./admission/charge.js";
export { type Estimator, type EstimatorInput, fixed, modelMax } from "./admission/estimate.js";
export type { Limit, Window } from "./admission/limit.js";
export type { LimitReading } from "./admission/limit-reading.js";
export { type CalendarReset, type Period, periodAt } from "./admission/period.js";
export { type KeyRefusalReason, REFUSAL_REASONS, type RefusalReason } from "./admission/reasons.js";
export type { Refusal, Refused } from "./admission/refusal.js";
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
export type { Admission, Admitted } from "./gate/admission.js";
export type { Authentication } from "./gate/authenticating.js";
export type { Clock } from "./gate/clock.js";
export * from "./gate/control/index.js";
export type { Directory, ScopeChain } from "./gate/directory.js";
export type { CallContext, GateEvents, Listener } from "./gate/events.js";
export { createGate, type Gate } from "./gate/gate.js";
export type { KeyRef } from "./gate/key-resolver.js";
export type { GateOptions, Unpriced } from "./gate/options.js";
export type { Degraded, Reservation } from "./gate/reservation.js";
export type { Charged, Settlement } from "./gate/settlement.js";
export { storageDirectory } from "./gate/storage-directory.js";
export { createToken, hashToken } from "./gate/token.js";
export type { UsageQuery } from "./gate/usage-reading.js";
export { type KeyChain, keyChainSchema } from "./model/chain.js";
export * from "./model/errors.js";
export {
  type Budget,
  type BudgetReset,
  budgetSchema,
  type Limits,
  limitsSchema,
  type Meter,
  type ModelLimits,
  type ScopeKind,
} from "./model/limits.js";
export { MAX_USD, nanoUsd, usdOf } from "./model/money.js";
export { type RecordKind, type Records, recordSchemas } from "./model/records.js";
export {
  type Actual,
  actualSchema,
  type More,
  moreSchema,
  type Usage,
  usageSchema,
} from "./model/usage.js";
export * from "./policy/index.js";
export { type PriceCatalog, priceCatalog } from "./pricing/catalog.js";
export { costNanoUsd, type TokenCounts } from "./pricing/cost.js";
export {
  type ModelPrice,
  modelPrice,
  type PriceInput,
  type PriceTier,
  type Rates,
  type RatesInput,
  type TierInput,
  type Usd,
} from "./pricing/price.js";
export { INDEXES, type IndexedField } from "./storage/indexes.js";
export { memoryStorage } from "./storage/memory.js";
export type { Change, Changed, Page, Storage, Where } from "./storage/storage.js";
