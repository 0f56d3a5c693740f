export type { FastCheck } from "./testing/arbitraries/fast-check.js";
export { HOSTILE_IDS } from "./testing/arbitraries/ids.js";
export { anyHierarchy, anyKeyChain, type HierarchyOptions } from "./testing/arbitraries/key-chain.js";
export { anyLimits, type LimitsOptions } from "./testing/arbitraries/limits.js";
export { anyPrincipal, type PrincipalIds } from "./testing/arbitraries/principal.js";
export { anyTrace, type TraceOptions } from "./testing/arbitraries/trace.js";
