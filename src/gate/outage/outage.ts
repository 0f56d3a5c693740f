import type { NotOpen, SettleOutcome } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import type { Reservation } from "../call/reservation.js";

/** Whether the counters are down, and which of the calls admitted uncounted meanwhile are closed. */
export class Outage {
  /** Whether the counters did not answer the last reserve, or did not take what was counted without them. */
  isOn = false;
  /** Whether they answer again and are being given what was counted without them. */
  isEnding = false;
  readonly #closed = new RecentIds<string, true>();

  /**
   * Closes a reservation that nothing counted. As with counters, that works once, and not after it has expired; but
   * only this process remembers it.
   */
  close(reservation: Reservation, now: number): SettleOutcome {
    const outcome = this.whyNotOpen(reservation, now);
    if (outcome !== undefined) return { outcome };
    this.#closed.add(reservation.id, true);
    return { outcome: "settled", used: [] };
  }

  /** Why a reservation that nothing counted is not open. Undefined if it is. */
  whyNotOpen({ id, expiresAt }: Reservation, now: number): NotOpen | undefined {
    if (this.#closed.get(id)) return "already_settled";
    return now >= expiresAt ? "expired" : undefined;
  }
}
