import type { Reading } from "../../admission/charge.js";
import type { ReserveOutcome, ReserveRequest, SettleOutcome, SettleRequest } from "../counters.js";
import { type ReservationRecord, recordFrom } from "./record.js";
import {
  type Clocks,
  countedFrom,
  foreseenFrom,
  inOrder,
  notOpenFrom,
  type Reply,
  readingsFrom,
  STATUS,
} from "./reply.js";
import type { EncodedCharges } from "./request.js";

const RESERVED: ReadonlySet<number> = new Set([STATUS.reserved, STATUS.reservedInShadow, STATUS.foreseen]);

/**
 * The outcome in a store's reply to a reserve. It does not handle `STATUS.look`.
 *
 * @param onServerClock whether the counters use the server's clock; callers are told times on their own
 */
export function outcomeFrom(
  request: ReserveRequest,
  { layout: { places }, charges }: EncodedCharges,
  reply: Reply,
  onServerClock: boolean,
): ReserveOutcome {
  const status = Number(reply[0]);
  const clocks = clocksFrom(reply[1], reply[2], request.now, onServerClock);
  if (status === STATUS.refused) {
    return { outcome: "refused", readings: inOrder(readingsFrom(reply, 3, charges, clocks), places) };
  }
  if (!RESERVED.has(status)) return { outcome: notOpenFrom(status) };
  const held = request.extend
    ? recordFrom(reply.at(-1), onServerClock)
    : madeFrom(request, onServerClock ? request.now : clocks.now);
  const counted =
    status === STATUS.foreseen
      ? foreseenFrom(reply, charges, clocks)
      : countedFrom(reply, charges, clocks, status === STATUS.reservedInShadow);
  return {
    outcome: "reserved",
    id: request.id,
    reservedAt: held.reservedAt,
    expiresAt: held.expiresAt,
    charges: held.charges,
    used: inOrder(counted.used, places),
    resetMs: inOrder(counted.resetMs, places),
    shadow: counted.shadow && inOrder(counted.shadow, places),
  };
}

/**
 * The outcome in a store's reply to a settle: what each count has used, then how far the counts were ahead of the clock
 * that the store was told or has, if they were.
 *
 * @param clock that clock's moment, as the caller's clock has it
 */
export function settledFrom(
  { amounts, now }: Pick<SettleRequest, "amounts" | "now">,
  { layout: { places } }: Pick<EncodedCharges, "layout">,
  reply: Reply,
  clock: number,
): SettleOutcome {
  const [status = 0] = reply;
  if (Number(status) < 0) return { outcome: notOpenFrom(-Number(status)) };
  const used = inOrder(reply.slice(0, amounts.length).map(Number), places);
  const at = clock + Number(reply[amounts.length] ?? 0);
  return at > now ? { outcome: "settled", used, at } : { outcome: "settled", used };
}

/** A new reservation as its caller is told of it. */
function madeFrom(
  { ttlMs, charges }: ReserveRequest,
  reservedAt: number,
): Omit<ReservationRecord, "fingerprint"> {
  return { reservedAt, expiresAt: reservedAt + ttlMs, charges };
}

/**
 * The outcome if an open reservation is the answer: to its idempotency key, or to a request that was sent before.
 *
 * @param readings the readings for what was asked for, which is the reservation's charges unless it was to be extended
 */
export function replayFrom(
  { extend }: ReserveRequest,
  id: string,
  { reservedAt, expiresAt, charges }: ReservationRecord,
  readings: readonly Reading[],
): ReserveOutcome {
  return {
    outcome: extend ? "reserved" : "replayed",
    id,
    reservedAt,
    expiresAt,
    charges,
    used: readings.map(({ used }) => used),
    resetMs: readings.map(({ resetMs }) => resetMs),
  };
}

/**
 * @param now the counters' clock, which is never before `serverNow`
 * @param serverNow the clock that was read for the call: the server's, or the caller's if the counters use that
 */
export function clocksFrom(
  now: unknown,
  serverNow: unknown,
  callerNow: number,
  onServerClock: boolean,
): Clocks {
  return { now: Number(now), callerNow, base: onServerClock ? Number(serverNow) : callerNow };
}
