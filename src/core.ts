export type { Charge, Charges, Reading } from "./admission/charge.js";
export { type Estimator, type EstimatorInput, fixed, modelMax } from "./admission/estimate.js";
export type { Limit, Window } from "./admission/limit.js";
export type { LimitReading } from "./admission/limit-reading.js";
export { type Period, periodAt } from "./admission/period.js";
export { type KeyRefusalReason, REFUSAL_REASONS, type RefusalReason } from "./admission/reasons.js";
export type { Refusal, Refused } from "./admission/refusal.js";
export { type KeyChain, keyChainSchema } from "./model/chain.js";
export * from "./model/errors.js";
export * from "./model/inputs/index.js";
export { type JsonSchema, toJsonSchema } from "./model/json-schema.js";
export {
  type Budget,
  type BudgetReset,
  budgetSchema,
  type CalendarReset,
  type Limits,
  limitsSchema,
  type Meter,
  type ModelLimits,
  type ScopeKind,
} from "./model/limits.js";
export { MAX_USD, nanoUsd, usdOf } from "./model/money.js";
export { recordSchemas } from "./model/record-schemas.js";
export type {
  AuditEventRecord,
  AuditedChange,
  CreditGrantRecord,
  ExternalKeyRecord,
  InvitationRecord,
  KeyRecord,
  KeyUseRecord,
  McpServerRecord,
  OrgMemberRecord,
  OrgRecord,
  ProjectGrant,
  ProjectMemberRecord,
  ProjectRecord,
  RecordKind,
  Records,
  TrailRecord,
  VirtualModelRecord,
} from "./model/records.js";
export {
  type Actual,
  actualSchema,
  type CallParts,
  type More,
  moreSchema,
  type Usage,
  usageSchema,
} from "./model/usage.js";
export * from "./policy/index.js";
export { type PriceCatalog, priceCatalog, type ReloadablePrices } from "./pricing/catalog.js";
export { modelPrice } from "./pricing/compile.js";
export { costNanoUsd, mostNanoUsd, type TokenCounts } from "./pricing/cost.js";
export { fromAnthropic } from "./pricing/dialects/anthropic.js";
export { fromGemini } from "./pricing/dialects/gemini.js";
export { fromOpenAI } from "./pricing/dialects/openai.js";
export { estimateInputTokens, type InputEstimateOptions } from "./pricing/input-estimate.js";
export { anthropicMeter } from "./pricing/meters/anthropic.js";
export { geminiMeter } from "./pricing/meters/gemini.js";
export { openAIMeter } from "./pricing/meters/openai.js";
export type { MeterOptions, UsageMeter } from "./pricing/meters/usage-meter.js";
export type { ModelsDevOptions } from "./pricing/models-dev.js";
export type { OffPeakHours, OffPeakWindow } from "./pricing/off-peak.js";
export type {
  ModelPrice,
  OffPeakInput,
  PriceInput,
  PriceTier,
  PriceTiers,
  RatesInput,
  ServiceTierInput,
  TierInput,
  Usd,
} from "./pricing/price.js";
export type { Rates } from "./pricing/rates.js";
export { characterCounter, type TokenCounter } from "./pricing/token-counter.js";
