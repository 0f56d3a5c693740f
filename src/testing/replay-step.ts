import type { Admission } from "../gate/call/admission.js";
import type { Reservation } from "../gate/call/reservation.js";
import type { Settlement } from "../gate/call/settlement.js";
import type { KeyChain } from "../model/chain.js";
import type { Actual } from "../model/usage.js";

/** A key that makes calls. */
export interface Caller {
  /** The caller's name in the result. No two callers share one. */
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  /** If given, calls are made with this token, as at a gateway; otherwise with the key's id. */
  readonly token?: string | undefined;
}

/**
 * Makes a caller from the key of a chain.
 *
 * @param name the caller's name. Default: the key's id.
 */
export function callerOf({ org, project, key }: KeyChain, name: string = key.id): Caller {
  return { name, orgId: org.id, projectId: project.id, keyId: key.id };
}

/** One thing that happened in a replay. `at` is in epoch milliseconds of the trace. */
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
