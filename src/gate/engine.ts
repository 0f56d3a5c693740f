import type { CompiledChain } from "../admission/compiled-chain.js";
import { Calendar } from "../admission/period.js";
import type { Counters } from "../counters/counters.js";
import { memoryCounters } from "../counters/memory.js";
import { BudgetAlerts } from "./budget-alerts.js";
import { ChainCache } from "./chain-cache.js";
import type { Directory } from "./directory.js";
import { type CallContext, EventHub } from "./events.js";
import { KeyResolver } from "./key-resolver.js";
import type { GateSettings } from "./options.js";

/** What the parts of one gate share. */
export interface Engine {
  readonly settings: GateSettings;
  readonly directory: Directory;
  readonly chains: ChainCache;
  readonly keys: KeyResolver;
  readonly calendar: Calendar;
  readonly events: EventHub;
  readonly alerts: BudgetAlerts;
  /** Counts in this process while the shared counters do not answer and `onCountersDown` is `local`. */
  readonly localCounters: Counters;
}

export function createEngine(settings: GateSettings, directory: Directory): Engine {
  const calendar = new Calendar();
  const chains = new ChainCache(directory, calendar, settings.cache);
  const events = new EventHub();
  return {
    settings,
    directory,
    chains,
    keys: new KeyResolver(chains, settings.keyPrefix),
    calendar,
    events,
    alerts: new BudgetAlerts(events),
    localCounters: memoryCounters(),
  };
}

/** Whose call it is, for events. */
export function contextOf({ orgId, projectId, userId, keyId }: CompiledChain | CallContext): CallContext {
  return { orgId, projectId, userId, keyId };
}
