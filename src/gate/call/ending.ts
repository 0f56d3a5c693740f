import type { Use } from "../../admission/amounts.js";
import type { CallEnd } from "../../ledger/usage-event.js";
import type { Engine } from "../engine.js";
import type { Reservation } from "./reservation.js";

/** How and when a call ended, and what the caller said about it. */
export type Ending = Pick<CallEnd, "outcome" | "at" | "actual">;

/**
 * Reports a call that was settled or released to the ledger, and to whoever watches the pace of spending.
 *
 * @returns a promise if the ledger is full and its policy is to wait for room
 */
export function ended(
  engine: Engine,
  reservation: Reservation,
  { inputTokens, outputTokens, costNanoUsd }: Use,
  { outcome, at, actual }: Ending,
): Promise<void> | undefined {
  if (!reservation.byok) engine.pace.look(reservation, costNanoUsd, at);
  return engine.settings.ledger?.closed(reservation, {
    outcome,
    at,
    inputTokens,
    outputTokens,
    costNanoUsd,
    actual,
  });
}
