import type { Charge } from "../../admission/charge.js";
import { sameCount } from "../../admission/limit.js";
import { limitsFrom } from "./limits-text.js";
import { inOrder } from "./reply.js";

/** A reservation as Redis holds it, for a replay or an extension. */
export interface ReservationRecord {
  readonly fingerprint: string;
  readonly reservedAt: number;
  readonly expiresAt: number;
  /** All that it holds: what it reserved, with its extensions added. */
  readonly charges: readonly Charge[];
}

/** Reads a record as `lua/look.ts` tells it. */
export function recordFrom(told: unknown): ReservationRecord {
  const record = told as readonly unknown[]; // sound: the script replies with an array here
  const reservedAt = Number(record[4]);
  const charges: Charge[] = [];
  for (let part = 5; part + 2 < record.length; part += 5) {
    addTo(charges, chargesFrom(record[part], String(record[part + 2])));
  }
  const expiresAt = reservedAt + Number(record[3]) - Number(record[2]);
  return { fingerprint: String(record[1]), reservedAt, expiresAt, charges };
}

/** The charges of one part of a reservation, from its numbers as `lua/counting.ts` says. */
function chargesFrom(told: unknown, text: string): Charge[] {
  const numbers = (told as readonly unknown[]).map(Number); // sound: the script replies with an array here
  const at = (place: number) => numbers[place - 1] as number; // sound: as many as there are charges were sent
  const start = 8 + at(7);
  const { limits, places } = limitsFrom(text);
  const charges = limits.map((named, i) => {
    const [kind, max, amount] = [at(start + 3 * i), at(start + 3 * i + 1), at(start + 3 * i + 2)];
    const limit =
      max < 0
        ? { ...named, max: -1 - max, mode: "shadow" as const }
        : { ...named, max, mode: "enforce" as const };
    if (limit.window.kind !== "calendar") return { limit, amount };
    const period = { index: at(-kind), startsAt: at(1 - kind), endsAt: at(2 - kind) };
    return { limit, amount, period };
  });
  return [...inOrder<Charge>(charges, places)];
}

function addTo(charges: Charge[], added: readonly Charge[]): void {
  for (const charge of added) {
    const place = charges.findIndex(({ limit }) => sameCount(limit, charge.limit));
    const known = charges[place];
    if (known === undefined) charges.push(charge);
    else charges[place] = { ...known, amount: known.amount + charge.amount };
  }
}
