import { actualUse } from "../admission/actual-use.js";
import { amountOf, type Use } from "../admission/amounts.js";
import type { Charge } from "../admission/charge.js";
import { periodClock } from "../admission/compiled-chain.js";
import { sameCount } from "../admission/limit.js";
import type { LimitReading } from "../admission/limit-reading.js";
import { matches } from "../model/patterns.js";
import { type Actual, actualSchema, isPlainActual } from "../model/usage.js";
import { parse } from "../model/validation.js";
import { readingAfter } from "./admission.js";
import { contextOf, type Engine } from "./engine.js";
import { answerOf, countersOf } from "./guarded-counters.js";
import { type Reservation, reservationFrom } from "./reservation.js";
import { chargedBy, type Settlement } from "./settlement.js";

const NOTHING: Use = { requests: 0, inputTokens: 0, outputTokens: 0, costNanoUsd: 0, slots: 0, byok: false };

/** Corrects a reservation to what the call has really used, and closes it. Never refuses: the money is spent. */
export async function settle(engine: Engine, given: unknown, actual: Actual): Promise<Settlement> {
  const now = engine.settings.clock.now();
  const reservation = reservationFrom(given);
  const checked = isPlainActual(actual) ? actual : parse(actualSchema, actual, "actual");
  const use = actualUse(reservation, checked, engine.settings);
  const { model } = checked;
  const amounts =
    model === undefined || model === reservation.model
      ? reservation.charges.map(({ limit, period }) => ({ limit, amount: amountOf(limit, use), period }))
      : await amountsOfFallback(engine, reservation, model, use, now);
  return close(engine, reservation, use, amounts, now);
}

/** Undoes a reservation, for a call that was never sent. */
export async function release(engine: Engine, given: unknown): Promise<Settlement> {
  const reservation = reservationFrom(given);
  const amounts = reservation.charges.map(({ limit, period }) => ({ limit, amount: 0, period }));
  return close(engine, reservation, NOTHING, amounts, engine.settings.clock.now());
}

async function close(
  engine: Engine,
  reservation: Reservation,
  use: Use,
  amounts: readonly Charge[],
  now: number,
): Promise<Settlement> {
  if (reservation.degraded === "uncounted") return { settled: true, charged: chargedBy(use), overdraft: [] };
  const counters = countersOf(engine, reservation);
  const request = { id: reservation.id, orgId: reservation.orgId, now, amounts };
  const outcome = await answerOf(engine, counters, () => counters.settle(request));
  if (outcome.outcome !== "settled") return { settled: false, reason: outcome.outcome };
  const { used } = outcome;
  const overdraft = overdraftOf(reservation, amounts, used, now);
  if (overdraft.length > 0 && engine.events.wants("overdraft")) {
    engine.events.emit("overdraft", { at: now, limits: overdraft, context: contextOf(reservation) });
  }
  engine.alerts.look(amounts, used, now, reservation);
  return { settled: true, charged: chargedBy(use), overdraft };
}

const NO_READINGS: readonly LimitReading[] = Object.freeze([]);

/** The enforced limits that this settle, by more than was reserved, put or kept above their max. */
function overdraftOf(
  { charges }: Reservation,
  amounts: readonly Charge[],
  used: readonly number[],
  now: number,
): readonly LimitReading[] {
  let overdraft = NO_READINGS;
  for (const [i, amount] of amounts.entries()) {
    const left = used[i] ?? 0;
    if (amount.limit.mode === "shadow" || left <= amount.limit.max) continue;
    if (amount.amount <= (charges[i]?.amount ?? 0)) continue;
    overdraft = [...overdraft, readingAfter(amount, left, now)];
  }
  return overdraft;
}

/**
 * After a fallback the limits of the model that was reserved for get everything back, and those of the model that
 * answered are charged, over their max if need be.
 *
 * A model that is no permitted target is more likely another name of the one reserved for, such as a dated snapshot,
 * than a fallback: then nothing is given back. That errs on the side of refusing.
 */
async function amountsOfFallback(
  engine: Engine,
  reservation: Reservation,
  model: string,
  use: Use,
  now: number,
): Promise<Charge[]> {
  const { requested, charges, keyId, models, reservedAt } = reservation;
  const isFallback = models.includes(model);
  const amounts = charges.map(({ limit, period }) => {
    const spared = isFallback && limit.perModel !== undefined && !concerns(limit.perModel, model, requested);
    return { limit, amount: spared ? 0 : amountOf(limit, use), period };
  });
  const key = { keyId };
  const found = engine.keys.peek(key, now) ?? (await engine.keys.load(key, now));
  for (const limit of found?.compiled.limits ?? []) {
    if (limit.perModel === undefined || !matches(limit.perModel, model)) continue;
    if (charges.some((reserved) => sameCount(reserved.limit, limit))) continue;
    amounts.push({
      limit,
      amount: amountOf(limit, use),
      period: periodClock(limit, engine.calendar)?.at(reservedAt),
    });
  }
  return amounts;
}

function concerns(perModel: string, model: string, requested: string): boolean {
  return matches(perModel, model) || matches(perModel, requested);
}
