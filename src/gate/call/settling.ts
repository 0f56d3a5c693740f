import { actualUse } from "../../admission/actual-use.js";
import { amountOf, type Use } from "../../admission/amounts.js";
import { type Charges, chargeList } from "../../admission/charge.js";
import { type Limit, sameCount } from "../../admission/limit.js";
import type { LimitReading } from "../../admission/limit-reading.js";
import type { SettleOutcome } from "../../counters/counters.js";
import { chargedAt } from "../../model/charged-at.js";
import { matches } from "../../model/patterns.js";
import { plainActual } from "../../model/plain-usage.js";
import { type Actual, actualSchema } from "../../model/usage.js";
import { parse } from "../../model/validation.js";
import type { Engine } from "../engine.js";
import { contextOf } from "../events/events.js";
import { countersOf } from "../outage/degrading.js";
import { readingAfter } from "./admission.js";
import { type Ending, ended } from "./ending.js";
import { asItIs, IssuedReservation, type Reservation, reservationFrom } from "./reservation.js";
import { chargedBy, type Settlement } from "./settlement.js";

const NOTHING: Use = { requests: 0, inputTokens: 0, outputTokens: 0, costNanoUsd: 0, slots: 0, byok: false };

/** Corrects a reservation to what the call has really used, and closes it. It is never refused: the money is spent. */
export function settle(engine: Engine, given: unknown, actual: Actual): Promise<Settlement> {
  try {
    const now = engine.settings.clock.now();
    const reservation = reservationFrom(given);
    const checked = actualFrom(actual);
    const use = actualUse(reservation, checked, engine.settings, now);
    const outcome = checked.disconnected ? "disconnected" : "settled";
    const ending = { outcome, at: now, actual: checked } as const;
    const { model } = checked;
    if (model !== undefined && model !== reservation.model) {
      return settleFallback(engine, asItIs(reservation), use, model, ending);
    }
    return close(engine, reservation, use, ending);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * Reads what a caller says of a call. It is a copy.
 *
 * @throws ValidationError naming the field that is wrong
 */
export function actualFrom(given: Actual): Actual {
  return plainActual(given) ?? parse(actualSchema, given, "actual");
}

/** Undoes a reservation, for a call that was never sent. */
export async function release(engine: Engine, given: unknown): Promise<Settlement> {
  const reservation = reservationFrom(given);
  const at = engine.settings.clock.now();
  return close(engine, reservation, NOTHING, { outcome: "released", at, actual: {} });
}

async function settleFallback(
  engine: Engine,
  reservation: Reservation,
  use: Use,
  model: string,
  ending: Ending,
): Promise<Settlement> {
  engine.underWay.start();
  try {
    const charges = await chargesOfFallback(engine, reservation, model, use, ending.at);
    // Not awaited: it counts as a step of its own, and no step may include waiting for room in the ledger.
    return closeThroughCounters(engine, reservation, use, charges, ending);
  } finally {
    engine.underWay.end();
  }
}

/** Closes a reservation, without waiting if it is in this process. */
function close(engine: Engine, reservation: Reservation, use: Use, ending: Ending): Promise<Settlement> {
  const held = IssuedReservation.held(reservation);
  const { direct } = engine.settings.counters;
  const used = held && direct?.settle(held, ending.at, use);
  if (direct === undefined || used === undefined) {
    return closeThroughCounters(engine, asItIs(reservation), use, chargesOf(reservation, use), ending);
  }
  if (used.length === 0) return Promise.resolve(concluded(engine, reservation, use, NO_READINGS, ending));
  const outcome = { used, at: direct.now };
  const overdraft = tellOverdraft(engine, reservation, chargesOf(reservation, use), outcome, ending.at);
  return Promise.resolve(concluded(engine, reservation, use, overdraft, ending));
}

/** What a use charges to each limit that was charged. */
function chargesOf({ charges: { limits, periods } }: Reservation, use: Use): Charges {
  return { limits, amounts: limits.map((limit) => amountOf(limit, use)), periods };
}

/**
 * Closes a reservation through the four methods of `Counters`. Closing the gate waits for this.
 *
 * @param reservation a copy, since the counters take their time
 */
async function closeThroughCounters(
  engine: Engine,
  reservation: Reservation,
  use: Use,
  charges: Charges,
  ending: Ending,
): Promise<Settlement> {
  engine.underWay.start();
  try {
    const onSettled = (outcome: Settled) => {
      engine.lostSettles.noteTold(reservation.id);
      const overdraft = tellOverdraft(engine, reservation, charges, outcome, ending.at);
      return concluded(engine, reservation, use, overdraft, ending);
    };
    const onSettledLate = (outcome: Settled) =>
      engine.lostSettles.wasTold(reservation.id)
        ? tellOverdraft(engine, reservation, charges, outcome, ending.at)
        : onSettled(outcome);
    const outcome = await settleInCounters(engine, reservation, charges, ending.at, onSettledLate);
    if (outcome.outcome === "settled") {
      const answer = onSettled(outcome);
      return answer instanceof Promise ? await engine.underWay.aside(answer) : answer;
    }
    const room = outcome.outcome === "already_settled" && engine.lostSettles.tell(reservation.id);
    if (room) await engine.underWay.aside(room);
    return { settled: false, reason: outcome.outcome };
  } catch (error) {
    engine.lostSettles.note(reservation.id, error, () => ended(engine, reservation, use, ending));
    throw error;
  } finally {
    engine.underWay.end();
  }
}

type Settled = Extract<SettleOutcome, { readonly outcome: "settled" }>;

/**
 * Settles in the counters, unless they did not answer when the call was admitted.
 *
 * @param onLate called if they settled it after the caller was told that they did not answer, since no retry will
 *   report it
 */
function settleInCounters(
  engine: Engine,
  reservation: Reservation,
  charges: Charges,
  now: number,
  onLate: (outcome: Settled) => unknown,
): Promise<SettleOutcome> {
  if (reservation.degraded === "uncounted") return Promise.resolve(engine.outage.close(reservation, now));
  const { id, orgId } = reservation;
  const request = { id, orgId, now, amounts: chargeList(charges) };
  return countersOf(engine, reservation).settle(request, {
    onLate: (outcome) => (outcome.outcome === "settled" ? onLate(outcome) : undefined),
  });
}

/**
 * Emits what a settle did to the counts.
 *
 * @returns the limits that it overdrew
 */
function tellOverdraft(
  engine: Engine,
  reservation: Reservation,
  charges: Charges,
  { used, at }: Pick<Settled, "used" | "at">,
  now: number,
): readonly LimitReading[] {
  const overdraft = overdraftOf(reservation, charges, used, now, at ?? now);
  if (overdraft.length > 0 && engine.events.wants("overdraft")) {
    engine.events.emit("overdraft", { at: now, limits: overdraft, context: contextOf(reservation) });
  }
  engine.alerts.lookAfter(charges, used, now, reservation);
  return overdraft;
}

/** Reports a call that the counters have closed, and answers it; later, if the ledger has to make room first. */
function concluded(
  engine: Engine,
  reservation: Reservation,
  use: Use,
  overdraft: readonly LimitReading[],
  ending: Ending,
): Settlement | Promise<Settlement> {
  const settlement: Settlement = { settled: true, charged: chargedBy(use), overdraft };
  const room = ended(engine, reservation, use, ending);
  return room === undefined ? settlement : room.then(() => settlement);
}

const NO_READINGS: readonly LimitReading[] = Object.freeze([]);

/** The enforced limits that this settle put or kept above their max by charging more than was reserved. */
function overdraftOf(
  { charges: reserved }: Reservation,
  { limits, amounts, periods }: Charges,
  used: readonly number[],
  now: number,
  countedAt: number,
): readonly LimitReading[] {
  let overdraft = NO_READINGS;
  // Compares amounts first and reads a limit only if more was charged than reserved: most limits are not in the
  // processor's cache.
  for (let i = 0; i < amounts.length; i++) {
    if ((amounts[i] ?? 0) <= (reserved.amounts[i] ?? 0)) continue;
    const limit = limits[i] as Limit; // sound: there is an amount for each
    const left = used[i] ?? 0;
    if (limit.mode === "shadow" || left <= limit.max) continue;
    overdraft = [...overdraft, readingAfter(limit, periods[i], left, now, countedAt)];
  }
  return overdraft;
}

/**
 * After a fallback, the limits of the model that was reserved for get everything back, and those of the model that
 * answered are charged, above their max if necessary.
 *
 * A model that is not a permitted target is more likely another name of the reserved one, such as a dated snapshot,
 * than a fallback. Nothing is given back then, which errs on the side of refusing.
 */
async function chargesOfFallback(
  engine: Engine,
  reservation: Reservation,
  model: string,
  use: Use,
  now: number,
): Promise<Charges> {
  const { requested, charges, keyId, models, reservedAt } = reservation;
  const isFallback = models.includes(model);
  const limits = [...charges.limits];
  const periods = [...charges.periods];
  const amounts = limits.map((limit) => {
    const spared = isFallback && limit.perModel !== undefined && !concerns(limit.perModel, model, requested);
    return spared ? 0 : amountOf(limit, use);
  });
  // The money is spent, so a directory that does not answer must not keep the rest from being charged.
  const found = await engine.keys.find({ keyId }, now).catch(() => undefined);
  for (const limit of found?.limits ?? []) {
    if (limit.perModel === undefined || !matches(limit.perModel, model)) continue;
    if (charges.limits.some((reserved) => sameCount(reserved, limit))) continue;
    limits.push(limit);
    amounts.push(amountOf(limit, use));
    periods.push(engine.calendar.clockOf(limit)?.at(chargedAt(charges, reservedAt)));
  }
  return { limits, amounts, periods };
}

function concerns(perModel: string, model: string, requested: string): boolean {
  return matches(perModel, model) || matches(perModel, requested);
}
