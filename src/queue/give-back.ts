import type { Reservation } from "../gate/call/reservation.js";
import { errorName } from "../model/error-name.js";
import type { QueuedGate } from "./options.js";

/** Releases a reservation for which nobody waits any more. If that fails, it ends by itself. */
export async function giveBack(gate: QueuedGate, reservation: Reservation): Promise<void> {
  try {
    await gate.release(reservation);
  } catch (error) {
    process.emitWarning(
      `A reservation was not released and ends by itself: ${errorName(error)}`,
      "TollgateWarning",
    );
  }
}
