import type { Charge } from "../../admission/charge.js";
import { sameCount } from "../../admission/limit.js";
import { planFrom } from "./plan-text.js";
import { inOrder } from "./reply.js";

/** A reservation as a store holds it, for a replay or an extension. */
export interface ReservationRecord {
  readonly fingerprint: string;
  readonly reservedAt: number;
  readonly expiresAt: number;
  /** Everything it holds: what it reserved, with its extensions added. */
  readonly charges: readonly Charge[];
}

/**
 * Reads a record as a store returns it. First comes the moment at which it ends by itself, on the counters' clock;
 * then, for the reserve and for each extension, four values:
 *
 * ```
 * at       the moment at which it was made, on the same clock
 * label    for the reserve, the fingerprint
 * numbers  the numbers of the call: three, then the amounts and the periods
 * plan     what the numbers mean; empty if it is that of the previous four values
 * ```
 *
 * @param onServerClock whether the counters use the server's clock; the caller is told times on its own
 */
export function recordFrom(told: unknown, onServerClock: boolean): ReservationRecord {
  const [expiresAt, ...parts] = told as readonly unknown[]; // sound: a store tells an array here
  const [at, fingerprint, numbers] = parts;
  const charges: Charge[] = [];
  let plan = planFrom(String(parts[3]));
  for (let part = 0; part < parts.length; part += 4) {
    if (part > 0 && parts[part + 3] !== "") plan = planFrom(String(parts[part + 3]));
    addTo(charges, chargesFrom(String(parts[part + 2]), plan));
  }
  const reservedAt = onServerClock ? (numbersFrom(String(numbers))[2] ?? 0) : Number(at);
  return {
    fingerprint: String(fingerprint),
    reservedAt,
    expiresAt: reservedAt + Number(expiresAt) - Number(at),
    charges,
  };
}

/** The charges of a reserve or an extension, from its numbers and its plan. */
function chargesFrom(told: string, { counts, places }: ReturnType<typeof planFrom>): Charge[] {
  const numbers = numbersFrom(told);
  const at = (place: number) => numbers[place - 1] as number; // sound: the plan names places in the numbers
  const charges = counts.map(({ limit, amount, period }) => {
    if (period === 0) return { limit, amount: at(amount) };
    const of = { index: at(period), startsAt: at(period + 1), endsAt: at(period + 2) };
    return { limit, amount: at(amount), period: of };
  });
  return [...inOrder<Charge>(charges, places)];
}

function numbersFrom(told: string): number[] {
  return JSON.parse(told) as number[]; // sound: the encoder wrote it
}

function addTo(charges: Charge[], added: readonly Charge[]): void {
  for (const charge of added) {
    const place = charges.findIndex(({ limit }) => sameCount(limit, charge.limit));
    const known = charges[place];
    if (known === undefined) charges.push(charge);
    else charges[place] = { ...known, amount: known.amount + charge.amount };
  }
}
