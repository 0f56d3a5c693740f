import type { Charge } from "../../src/admission/charge.js";
import type { Counters } from "../../src/counters/counters.js";
import { charge, limitOf } from "./limits.js";

export const TTL_MS = 3_600_000;

export const rpm = limitOf({ rpm: 100 });
export const spent = limitOf({ budget: { usd: "0.000001", reset: "never" } }, "org");

/** One request and `amount` nano-USD of a lifetime budget of 1,000. */
export function chargesOf(amount: number, now = Date.now()): Charge[] {
  return [charge(spent, amount, now), charge(rpm, 1, now)];
}

let made = 0;

export function reserve(
  counters: Counters,
  amount: number,
  given: { id?: string; orgId?: string; requestId?: string } = {},
) {
  const { id = `r${made++}`, orgId = "o1", requestId } = given;
  const idempotency = requestId === undefined ? undefined : { key: requestId, fingerprint: "f" };
  const now = Date.now();
  return counters.reserve({ id, orgId, now, ttlMs: TTL_MS, charges: chargesOf(amount), idempotency });
}

export function settle(counters: Counters, id: string, amount: number, orgId = "o1") {
  return counters.settle({ id, orgId, now: Date.now(), amounts: chargesOf(amount) });
}

/** What the lifetime budget and the minute have used. */
export async function used(counters: Counters, orgId = "o1"): Promise<number[]> {
  const readings = await counters.read({ orgId, now: Date.now(), charges: chargesOf(0) });
  return readings.map((reading) => reading.used);
}
