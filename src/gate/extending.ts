import { chargesOf, type Use } from "../admission/amounts.js";
import { keyRefusal } from "../admission/key-checks.js";
import { plainRefusal } from "../admission/refusal.js";
import { ConflictError, ValidationError } from "../model/errors.js";
import { nanoUsd } from "../model/money.js";
import { type More, moreSchema } from "../model/usage.js";
import { parse } from "../model/validation.js";
import { costNanoUsd } from "../pricing/cost.js";
import { type Admission, AdmittedCall } from "./admission.js";
import { refused, refusedByLimit } from "./admitting.js";
import type { Engine } from "./engine.js";
import { answerOf, countersOf } from "./guarded-counters.js";
import { IssuedReservation, type Reservation, reservationFrom } from "./reservation.js";

/**
 * Asks for more for a call that is under way: the checks of the key again, then one `reserve` of what comes on top, in
 * the budgets' period of the admission. A refusal leaves the reservation as it was.
 *
 * @throws ConflictError where the reservation is no longer open
 */
export async function extend(engine: Engine, given: unknown, more: More): Promise<Admission> {
  const now = engine.settings.clock.now();
  const reservation = reservationFrom(given);
  const use = addedUse(reservation, parse(moreSchema, more, "more"), engine);
  const key = { keyId: reservation.keyId };
  const found = engine.keys.peek(key, now) ?? (await engine.keys.load(key, now));
  if (found === undefined) return refused(engine, plainRefusal("invalid_key"), now);
  const { compiled } = found;
  const reason = keyRefusal(compiled.chain, now);
  if (reason !== undefined) return refused(engine, plainRefusal(reason), now, compiled);

  const { id, orgId, requested, model } = reservation;
  const plan = model === undefined ? compiled.forMcpServer(requested) : compiled.forModel(requested);
  const extended = {
    ...reservation,
    inputTokens: reservation.inputTokens + use.inputTokens,
    outputTokens: reservation.outputTokens + use.outputTokens,
    costNanoUsd: reservation.costNanoUsd + use.costNanoUsd,
  };
  const admitted = (
    charges: Reservation["charges"],
    counted: Reservation["charges"],
    used: readonly number[],
  ) =>
    new AdmittedCall(
      new IssuedReservation({ ...extended, charges }),
      plan.models,
      compiled.contentLogging,
      [],
      { charges: counted, used, now },
    );
  if (reservation.degraded === "uncounted") return admitted([], [], []);

  const counters = countersOf(engine, reservation);
  const charges = chargesOf(plan.limits, plan.clocks, use, reservation.reservedAt);
  const request = { id, orgId, now, ttlMs: engine.settings.reservationTtlMs, charges, extend: true };
  const reserved = await answerOf(engine, counters, counters.reserve(request));
  switch (reserved.outcome) {
    case "reserved":
      engine.alerts.look(charges, reserved.used, now, compiled);
      return admitted(reserved.charges, charges, reserved.used);
    case "refused":
      return refusedByLimit(engine, charges, reserved.readings, now, compiled);
    default:
      throw new ConflictError(`the reservation cannot be extended: ${reserved.outcome}`);
  }
}

/** What comes on top. The price is that of the whole call as it is now, less what was reserved, so that a tier counts. */
function addedUse(reservation: Reservation, more: More, { settings }: Engine): Use {
  const inputTokens = more.inputTokens ?? 0;
  const outputTokens = more.maxOutputTokens ?? 0;
  const use = { requests: 0, inputTokens, outputTokens, slots: 0, byok: reservation.byok };
  if (inputTokens + outputTokens === 0 && more.costUsd === undefined) {
    throw new ValidationError([
      { field: "more", expected: "inputTokens, maxOutputTokens or costUsd above zero" },
    ]);
  }
  if (more.costUsd !== undefined) return { ...use, costNanoUsd: nanoUsd(more.costUsd) };
  const price = reservation.model === undefined ? undefined : settings.prices.price(reservation.model);
  if (price === undefined) return { ...use, costNanoUsd: 0 };
  const whole = {
    inputTokens: reservation.inputTokens + inputTokens,
    outputTokens: reservation.outputTokens + outputTokens,
  };
  return { ...use, costNanoUsd: Math.max(0, costNanoUsd(price, whole) - reservation.costNanoUsd) };
}
