import type { Use } from "../../admission/amounts.js";
import { type Charges, chargeList, sideBySide, withLimitsOf } from "../../admission/charge.js";
import type { CompiledChain } from "../../admission/compiled-chain.js";
import { dearestCost } from "../../admission/estimated-use.js";
import { sameCount } from "../../admission/limit.js";
import type { CostRule } from "../../admission/limit-shape.js";
import { plainRefusal, type Refused, unpricedRefusal } from "../../admission/refusal.js";
import type { ReserveOutcome } from "../../counters/counters.js";
import { chargedAt } from "../../model/charged-at.js";
import { ClosedError, ConflictError, isTollgateError, ValidationError } from "../../model/errors.js";
import { nanoUsd } from "../../model/money.js";
import { type More, moreSchema } from "../../model/usage.js";
import { parse } from "../../model/validation.js";
import type { Engine } from "../engine.js";
import { countersOf, degrade, refusedLocally, roomHere } from "../outage/degrading.js";
import { type Admission, AdmittedCall, type Counted, UNCOUNTED } from "./admission.js";
import { limitRefusal, refused, shadowRefusals } from "./refusing.js";
import {
  asItIs,
  type Degraded,
  IssuedReservation,
  type Reservation,
  reservationFrom,
} from "./reservation.js";

/**
 * Extends a call under way: it checks the key again, then makes one `reserve` of what is added, in the budget periods
 * of the admission. A refusal leaves the reservation as it was.
 *
 * @throws ConflictError if the reservation is no longer open
 */
export async function extend(engine: Engine, given: unknown, more: More): Promise<Admission> {
  const now = engine.settings.clock.now();
  const inHand = reservationFrom(given);
  const reservation = asItIs(inHand);
  const asked = askedFor(more);
  const compiled = await engine.keys.find({ keyId: reservation.keyId }, now);
  if (engine.underWay.isOver) throw new ClosedError();
  const refuse = (refusal: Refused) => refused(engine, refusal, now, compiled);
  if (compiled === undefined) return refuse(plainRefusal("invalid_key"));
  const reason = compiled.refusalAt(now);
  if (reason !== undefined) return refuse(plainRefusal(reason));

  const { requested, model, models } = reservation;
  const plan =
    model === undefined ? compiled.forMcpServer(requested) : compiled.forTargets(models, requested);
  const rule = reservation.byok ? plan.shape.byokCost : plan.shape.cost;
  const use = addedUse(reservation, asked, rule, engine);
  const lacksPrice = isUnpriced(reservation, asked, engine);
  if (lacksPrice && rule === "enforce") return refuse(unpricedRefusal(requested));
  const unpriced = lacksPrice && rule === "shadow" ? requested : undefined;
  const at = chargedAt(reservation.charges, reservation.reservedAt);
  const added = inPeriodsOf(reservation.charges, plan.charges(use, at));
  const extension = { inHand, reservation, use, added, unpriced, compiled, now, engine };
  const answer =
    reservation.degraded === "uncounted" ? extendUncounted(extension) : await extendCounted(extension);
  return answer.admitted ? answer : refuse(answer);
}

/** One extension in progress. */
interface Extension {
  /** What the caller holds, which may have been extended or changed since. */
  readonly inHand: Reservation;
  /** The same, as it was when it was passed in. */
  readonly reservation: Reservation;
  readonly use: Use;
  /** What the use adds to each limit. */
  readonly added: Charges;
  /** What the call named, where budgets in shadow mode would have refused the extension for want of a price. */
  readonly unpriced: string | undefined;
  readonly compiled: CompiledChain;
  readonly now: number;
  readonly engine: Engine;
}

/** A call that was admitted uncounted is also extended uncounted. */
function extendUncounted(extension: Extension): Admission {
  const { engine, reservation, now } = extension;
  const reason = engine.outage.whyNotOpen(reservation, now);
  if (reason !== undefined) throw notOpen(reason);
  return admitted(extension, UNCOUNTED);
}

/** Charges what is added, if every limit has room for it. */
async function extendCounted(extension: Extension): Promise<Admission> {
  const { engine, reservation, added, compiled, now } = extension;
  const { id, orgId, degraded } = reservation;
  const counters = countersOf(engine, reservation);
  const isLocal = counters === engine.local;
  const charges = chargeList(isLocal ? engine.local.shared(added) : added);
  const request = { id, orgId, now, ttlMs: engine.settings.reservationTtlMs, charges, extend: true };
  let outcome: ReserveOutcome;
  try {
    outcome = await counters.reserve(request);
  } catch (error) {
    if (!isTollgateError(error, "counters_unavailable")) throw error;
    const refusal = await refusalWhileDown(engine, degrade(engine, now, error), orgId, now, added);
    // Without a refusal the reservation stays as it is in the counters, and the settle charges what was really used.
    return refusal ?? admitted(extension, UNCOUNTED);
  }
  switch (outcome.outcome) {
    case "reserved": {
      const { used, resetMs } = outcome;
      engine.alerts.look(added, used, now, compiled);
      const shadow = shadowRefusals(extension.unpriced, added, outcome.shadow, now);
      const whole = withLimitsOf(sideBySide(outcome.charges), reservation.charges, added);
      return admitted(extension, { charges: added, used, resetMs, shadow, degraded }, whole);
    }
    case "refused":
      if (isLocal) return refusedLocally(engine, orgId, now, added);
      return limitRefusal(charges, outcome.readings, now);
    default:
      throw notOpen(outcome.outcome);
  }
}

function notOpen(reason: string): ConflictError {
  return new ConflictError(`the reservation cannot be extended: ${reason}`);
}

/**
 * The refusal of an extension while the counters are down. With `local`, it is refused if it needs more of a limit than
 * this process may use by itself.
 */
async function refusalWhileDown(
  engine: Engine,
  mode: "deny" | Degraded,
  orgId: string,
  now: number,
  added: Charges,
): Promise<Refused | undefined> {
  if (mode === "deny") return plainRefusal("counters_unavailable");
  if (mode === "uncounted") return undefined;
  const { isShort } = await roomHere(engine, orgId, now, engine.local.shared(added));
  return isShort ? refusedLocally(engine, orgId, now, added) : undefined;
}

/**
 * Puts charges into the periods in which the call was charged before, since its settle gives back there. The same
 * moment could name another period if the time zone has changed, or if the caller's clock was behind the counters'.
 */
function inPeriodsOf({ limits, periods }: Charges, added: Charges): Charges {
  const held = added.limits.map((limit, i) => {
    const place = limits.findIndex((one) => sameCount(one, limit));
    return place < 0 ? added.periods[i] : periods[place];
  });
  return { ...added, periods: held };
}

/**
 * The admission of an extension, with the whole reservation as it is now and the readings of what was added.
 *
 * @param charges everything the reservation holds, if that is more than before
 */
function admitted(
  { inHand, reservation, use, compiled, now, engine }: Extension,
  counted: Counted,
  charges?: Charges,
): AdmittedCall {
  // Another extension may have been answered meanwhile.
  const latest = IssuedReservation.is(inHand) ? IssuedReservation.whole(inHand) : inHand;
  const before = latest === inHand ? reservation : latest;
  const whole = new IssuedReservation({
    ...before,
    inputTokens: before.inputTokens + use.inputTokens,
    outputTokens: before.outputTokens + use.outputTokens,
    costNanoUsd: before.costNanoUsd + use.costNanoUsd,
    charges: charges ?? before.charges,
  });
  if (IssuedReservation.is(latest)) IssuedReservation.extend(latest, whole);
  engine.settings.ledger?.opened(whole);
  return new AdmittedCall(whole, compiled.contentLogging, now, counted);
}

/** Whether it asks for tokens whose price nobody knows, so that no budget can pay for them. */
function isUnpriced({ models }: Reservation, { costUsd }: More, { settings }: Engine): boolean {
  if (costUsd !== undefined || settings.unpriced !== "deny" || models.length === 0) return false;
  return models.every((model) => settings.prices.price(model) === undefined);
}

/** @throws ValidationError if nothing is asked for */
function askedFor(given: More): More {
  const more = parse(moreSchema, given, "more");
  if ((more.inputTokens ?? 0) + (more.maxOutputTokens ?? 0) === 0 && more.costUsd === undefined) {
    throw new ValidationError([
      { field: "more", expected: "inputTokens, maxOutputTokens or costUsd above zero" },
    ]);
  }
  return more;
}

/**
 * What is added. Its price is that of the whole call as it is now, minus what was reserved, so that tiers count. If no
 * budget applies, tokens without a price cost nothing, as at the admission.
 */
function addedUse(reservation: Reservation, more: More, rule: CostRule, { settings }: Engine): Use {
  const inputTokens = more.inputTokens ?? 0;
  const outputTokens = more.maxOutputTokens ?? 0;
  const use = { requests: 0, inputTokens, outputTokens, slots: 0, byok: reservation.byok };
  if (more.costUsd !== undefined) return { ...use, costNanoUsd: nanoUsd(more.costUsd) };
  const input = reservation.inputTokens + inputTokens;
  const output = reservation.outputTokens + outputTokens;
  const prices = reservation.models.map((model) => settings.prices.price(model));
  const unpriced = rule === "none" ? "deny" : settings.unpriced;
  const cost = dearestCost(prices, input, output, reservation.parts, unpriced);
  return { ...use, costNanoUsd: Math.max(0, cost - reservation.costNanoUsd) };
}
