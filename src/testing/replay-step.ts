import type { Admission } from "../gate/call/admission.js";
import type { Reservation } from "../gate/call/reservation.js";
import type { Settlement } from "../gate/call/settlement.js";
import type { KeyChain } from "../model/chain.js";
import type { Actual } from "../model/usage.js";

/** A key that makes calls. */
export interface Caller {
  /** What it is called in the result; no two callers share one. */
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  /** Calls come with this, as at a gateway; without it they come with the key's id. */
  readonly token?: string | undefined;
}

/**
 * The key of a chain as one that makes calls.
 *
 * @param name the key's id by default
 */
export function callerOf({ org, project, key }: KeyChain, name: string = key.id): Caller {
  return { name, orgId: org.id, projectId: project.id, keyId: key.id };
}

/** One thing that happened in a replay. */
export type ReplayStep =
  | {
      readonly kind: "admission";
      readonly at: number;
      readonly caller: Caller;
      readonly admission: Admission;
    }
  | {
      readonly kind: "settlement";
      readonly at: number;
      readonly caller: Caller;
      readonly reservation: Reservation;
      readonly actual: Actual;
      readonly settlement: Settlement;
    };
