import { chargeList } from "../admission/charge.js";
import type { Limit } from "../admission/limit.js";
import type { Reservation } from "../gate/call/reservation.js";
import type { Charged, Settlement } from "../gate/call/settlement.js";

/** What a call was charged on a limit's meter. A settled call holds no slot. */
export function chargedAmount({ meter, countByok }: Limit, { byok }: Reservation, charged: Charged): number {
  switch (meter) {
    case "cost":
      return byok && !countByok ? 0 : charged.costNanoUsd;
    case "inFlight":
      return 0;
    default:
      return charged[meter];
  }
}

/** Whether a settle charged more than was reserved to any limit. */
export function isSurcharge(reservation: Reservation, settlement: Settlement): boolean {
  if (!settlement.settled) return false;
  const { charged } = settlement;
  return chargeList(reservation.charges).some(
    ({ limit, amount }) => chargedAmount(limit, reservation, charged) > amount,
  );
}
