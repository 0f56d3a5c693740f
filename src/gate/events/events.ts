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

/** The context of anything that has one, and nothing else. */
export function contextOf({ orgId, projectId, userId, keyId }: CallContext): CallContext {
  return { orgId, projectId, userId, keyId };
}

/**
 * The events of a gate, with what each listener is given. `at` is in epoch milliseconds, `tookMs` in milliseconds.
 *
 * No event contains a token or the content of a call. Admissions, refusals and settlements are the very objects that
 * the caller gets, so a listener must not change them.
 */
export interface GateEvents {
  /** `admit` has answered, with an admission or a refusal. */
  admission: { readonly at: number; readonly admission: Admission; readonly tookMs: number };
  /** `settle` or `release` has answered. One that throws emits nothing. */
  settlement: {
    readonly at: number;
    readonly settlement: Settlement;
    readonly reservation: Reservation;
    /** What the caller said the call has used. Absent for a release. */
    readonly actual?: Actual;
    readonly tookMs: number;
  };
  /** A call was refused. `context` is absent if the key is unknown. */
  refusal: { readonly at: number; readonly refusal: Refusal; readonly context?: CallContext };
  /** A settle put a count above its max. */
  overdraft: { readonly at: number; readonly limits: readonly LimitReading[]; readonly context: CallContext };
  /**
   * A budget has reached one of its `alertAt` shares, open reservations included.
   *
   * It is emitted once per period and threshold in each process, and again if the budget itself is raised or lowered. A
   * call that was admitted before such a change is judged by the budget as it was last charged.
   */
  budgetThreshold: {
    readonly at: number;
    readonly threshold: number;
    readonly limit: LimitReading;
    readonly context: CallContext;
  };
  /**
   * A key is spending much faster than on the days before; see `GateOptions.spendVelocity`. At most once per window and
   * key in each process.
   */
  spendVelocity: {
    readonly at: number;
    readonly context: CallContext;
    /** What the key has spent in the window that ends now, in nano-USD. */
    readonly spentNanoUsd: number;
    readonly windowMs: number;
    /** What it spent per day on the days before, on average, in nano-USD. */
    readonly dailyAverageNanoUsd: number;
    /**
     * How many times that average a whole day at this pace would be. It is finite: an average below one nano-USD counts
     * as one.
     */
    readonly times: number;
  };
  /** The ledger had no room for an event, as too many wait for its sink. Once each time the ledger becomes full. */
  ledgerFull: LedgerEvents["full"];
  /** The ledger's sink did not take a batch. It is retried. */
  ledgerFailing: LedgerEvents["failing"];
  /** A key was created. */
  keyCreated: { readonly at: number; readonly context: CallContext };
  /** A key was given a new token. The old one works until `previousExpiresAt`, or not at all if that is absent. */
  keyRotated: { readonly at: number; readonly context: CallContext; readonly previousExpiresAt?: number };
  /** A key was revoked, by somebody or because its holder left the org or the project. */
  keyRevoked: {
    readonly at: number;
    readonly context: CallContext;
    readonly because: "revoked" | "holder_removed";
  };
  /**
   * A call was admitted on a key that expires, or whose holder's membership ends, within a week. Once per key and end
   * in each process. `expiresAt` is in epoch milliseconds.
   */
  keyExpiring: { readonly at: number; readonly context: CallContext; readonly expiresAt: number };
  /**
   * The counters answer again after one or more `degraded` events, and have taken what this process counted meanwhile.
   */
  restored: { readonly at: number };
  /** The counters did not answer, and the gate did what `onCountersDown` says. Once for each such call. */
  degraded: {
    readonly at: number;
    readonly mode: "deny" | "local" | "uncounted";
    /** Its `cause` is what the counters threw, since a defect of theirs cannot be told from an outage. */
    readonly error: CountersUnavailableError;
  };
}

/** The listeners of one gate. */
export type GateEventHub = EventHub<GateEvents>;

/** A listener of one event of a gate. What it throws, or rejects with, becomes a warning of the process. */
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

/** Warns the process, and nobody else, of a listener that threw. */
export function warnOfListener(event: string, error: unknown): void {
  process.emitWarning(`A listener of "${event}" threw: ${errorName(error)}`, "TollgateWarning");
}
