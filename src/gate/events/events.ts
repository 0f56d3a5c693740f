import type { LimitReading } from "../../admission/limit-reading.js";
import type { Refusal } from "../../admission/refusal.js";
import type { LedgerEvents } from "../../ledger/ledger.js";
import { errorName } from "../../model/error-name.js";
import type { CountersUnavailableError } from "../../model/errors.js";
import type { EventHub } from "../../model/event-hub.js";
import type { Actual } from "../../model/usage.js";
import type { Admission } from "../call/admission.js";
import type { Reservation } from "../call/reservation.js";
import type { Settlement } from "../call/settlement.js";

/** Whose call it was. */
export interface CallContext {
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
}

/** The context alone, of whatever names one. */
export function contextOf({ orgId, projectId, userId, keyId }: CallContext): CallContext {
  return { orgId, projectId, userId, keyId };
}

/**
 * What a gate tells its listeners, by event. No event holds a token or a content. An admission, a refusal or a settlement in it is the
 * very object that the caller gets: a listener reads it and changes nothing.
 */
export interface GateEvents {
  /** What `admit` has answered, whichever it was. */
  admission: { readonly at: number; readonly admission: Admission; readonly tookMs: number };
  /** What `settle` or `release` has answered. A settle that throws is told of by nobody but the caller. */
  settlement: {
    readonly at: number;
    readonly settlement: Settlement;
    readonly reservation: Reservation;
    /** What the call has used, as the caller said; absent where it was released. */
    readonly actual?: Actual;
    readonly tookMs: number;
  };
  /** A call was refused. `context` is absent where the key is not known. */
  refusal: { readonly at: number; readonly refusal: Refusal; readonly context?: CallContext };
  /** A settle put a count above its max. */
  overdraft: { readonly at: number; readonly limits: readonly LimitReading[]; readonly context: CallContext };
  /**
   * A budget has reached one of its `alertAt` shares, open reservations included. Once per period and threshold, and anew where the
   * budget itself was raised or lowered. A call that was admitted before that is settled by the budget as it was charged last.
   */
  budgetThreshold: {
    readonly at: number;
    readonly threshold: number;
    readonly limit: LimitReading;
    readonly context: CallContext;
  };
  /** A key spends much faster than it did on the days before; see `GateOptions.spendVelocity`. At most once a window and key. */
  spendVelocity: {
    readonly at: number;
    readonly context: CallContext;
    /** What the key has spent in the window that ends now. */
    readonly spentNanoUsd: number;
    readonly windowMs: number;
    /** What it has spent on one of the days before, on average. */
    readonly dailyAverageNanoUsd: number;
    /**
     * How many times that average a day at this pace would be. Never infinite: an average below one nano-USD, of a key that
     * spent nothing in days, is taken for one.
     */
    readonly times: number;
  };
  /** So many usage events wait for the ledger's sink that one found no room. Once each time it comes to that. */
  ledgerFull: LedgerEvents["full"];
  /** The ledger's sink did not take a batch; it is tried again. */
  ledgerFailing: LedgerEvents["failing"];
  /** A key was made. */
  keyCreated: { readonly at: number; readonly context: CallContext };
  /** A key has a new token; the old one works until `previousExpiresAt`, where it still does. */
  keyRotated: { readonly at: number; readonly context: CallContext; readonly previousExpiresAt?: number };
  /** A key was revoked, by somebody or because its holder has left the org or the project. */
  keyRevoked: {
    readonly at: number;
    readonly context: CallContext;
    readonly because: "revoked" | "holder_removed";
  };
  /** A call was admitted on a key that ends within a week, by itself or with its holder's membership. Once per end. */
  keyExpiring: { readonly at: number; readonly context: CallContext; readonly expiresAt: number };
  /** The counters answer again, after one or more `degraded`, and have what this process counted meanwhile by itself. */
  restored: { readonly at: number };
  /** The counters did not answer, and the gate did what `onCountersDown` says. Once for each such call. */
  degraded: {
    readonly at: number;
    readonly mode: "deny" | "local" | "uncounted";
    /** What was thrown by the counters is its `cause`: a defect of theirs cannot be told from an outage. */
    readonly error: CountersUnavailableError;
  };
}

/** The listeners of one gate. */
export type GateEventHub = EventHub<GateEvents>;

export type Listener<E extends keyof GateEvents> = (event: GateEvents[E]) => void;

/** Every event of a gate. */
export const GATE_EVENTS: Readonly<Record<keyof GateEvents, true>> = {
  admission: true,
  settlement: true,
  refusal: true,
  overdraft: true,
  budgetThreshold: true,
  spendVelocity: true,
  ledgerFull: true,
  ledgerFailing: true,
  keyCreated: true,
  keyRotated: true,
  keyRevoked: true,
  keyExpiring: true,
  restored: true,
  degraded: true,
};

/** Tells of a listener that threw, to nobody but the process. */
export function warnOfListener(event: string, error: unknown): void {
  process.emitWarning(`A listener of "${event}" threw: ${errorName(error)}`, "TollgateWarning");
}
