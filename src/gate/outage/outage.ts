import type { NotOpen, SettleOutcome } from "../../counters/counters.js";
import { RecentIds } from "../../counters/recent-ids.js";
import type { Reservation } from "../call/reservation.js";

/** What is known of the counters being down, and of the calls that nothing counted meanwhile. */
export class Outage {
  /** Whether they did not answer when they were last asked for room. */
  isOn = false;
  /** Whether they answer again, and are being given what was counted without them. */
  isEnding = false;
  readonly #closed = new RecentIds<string, true>();

  /** Closes a reservation that nothing counted: once, as far as this process knows, and not after its end. */
  close(reservation: Reservation, now: number): SettleOutcome {
    const outcome = this.whyNotOpen(reservation, now);
    if (outcome !== undefined) return { outcome };
    this.#closed.add(reservation.id, true);
    return { outcome: "settled", used: [] };
  }

  /** Why a reservation that nothing counted is not open; undefined where it is. */
  whyNotOpen({ id, expiresAt }: Reservation, now: number): NotOpen | undefined {
    if (this.#closed.get(id)) return "already_settled";
    return now >= expiresAt ? "expired" : undefined;
  }
}
