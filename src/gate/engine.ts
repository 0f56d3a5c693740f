import { LimitCache } from "../admission/limit-cache.js";
import { LimitShapes } from "../admission/limit-shape.js";
import { Calendar } from "../admission/period.js";
import type { ReservationIds } from "../counters/reservation-ids.js";
import { EventHub } from "../model/event-hub.js";
import { ChainCache } from "./chain/chain-cache.js";
import type { Directory } from "./chain/directory.js";
import { KeyResolver } from "./chain/key-resolver.js";
import { LastUsed } from "./chain/last-used.js";
import { isWellFormed } from "./chain/token.js";
import { OrgQueue } from "./control/org-queue.js";
import { BudgetAlerts } from "./events/budget-alerts.js";
import { GATE_EVENTS, type GateEventHub, warnOfListener } from "./events/events.js";
import { ExpiryNotices } from "./events/key-expiry.js";
import { SpendPace } from "./events/spend-velocity.js";
import type { GateSettings } from "./options.js";
import { LocalCounting } from "./outage/local-counting.js";
import { LostReserves } from "./outage/lost-reserves.js";
import { LostSettles } from "./outage/lost-settles.js";
import { Outage } from "./outage/outage.js";
import { UnderWay } from "./under-way.js";

/** What the parts of one gate share. */
export interface Engine {
  readonly settings: GateSettings;
  readonly directory: Directory;
  /** Makes the ids of all reservations of this gate. */
  readonly ids: ReservationIds;
  readonly chains: ChainCache;
  readonly keys: KeyResolver;
  readonly calendar: Calendar;
  readonly limitCache: LimitCache;
  readonly shapes: LimitShapes;
  readonly events: GateEventHub;
  readonly alerts: BudgetAlerts;
  readonly pace: SpendPace;
  readonly expiry: ExpiryNotices;
  /** Counts in this process while the shared counters do not answer and `onCountersDown` is `local`. */
  readonly local: LocalCounting;
  readonly outage: Outage;
  readonly lostReserves: LostReserves;
  readonly lostSettles: LostSettles;
  /** Makes the control plane's writes of one org wait for each other. */
  readonly orgQueue: OrgQueue;
  /** When keys were last used. Absent if there is no storage to keep it in. */
  readonly lastUsed: LastUsed | undefined;
  /** Steps of calls that have not been reported to the ledger yet. Closing waits for them. */
  readonly underWay: UnderWay;
}

export function createEngine(settings: GateSettings, directory: Directory, ids: ReservationIds): Engine {
  const calendar = new Calendar();
  const limitCache = new LimitCache();
  const shapes = new LimitShapes(calendar);
  const chains = new ChainCache(directory, { shapes, limitCache }, settings.cache);
  const events = new EventHub(GATE_EVENTS, warnOfListener);
  return {
    settings,
    directory,
    ids,
    chains,
    keys: new KeyResolver(
      chains,
      (text) => isWellFormed(text, settings.keyPrefix) || directory.isToken?.(text) === true,
    ),
    calendar,
    limitCache,
    shapes,
    events,
    alerts: new BudgetAlerts(events, settings.cache.maxKeys),
    pace: new SpendPace(events, settings.spendVelocity, settings.cache.maxKeys),
    expiry: new ExpiryNotices(events),
    local: new LocalCounting(settings.localShare, ids),
    outage: new Outage(),
    lostReserves: new LostReserves(),
    lostSettles: new LostSettles(),
    orgQueue: new OrgQueue(),
    lastUsed: settings.storage && new LastUsed(settings.storage, settings.clock),
    underWay: new UnderWay(),
  };
}
