import { type Charges, chargeList, NO_CHARGES, sideBySide, withLimitsOf } from "../../admission/charge.js";
import type { CompiledChain } from "../../admission/compiled-chain.js";
import { estimatedUse, heldUse } from "../../admission/estimated-use.js";
import { plainRefusal, type Refused, unpricedRefusal } from "../../admission/refusal.js";
import type { DirectCounters, DirectReservation, ReserveOutcome } from "../../counters/counters.js";
import {
  ClosedError,
  ConflictError,
  type CountersUnavailableError,
  isTollgateError,
} from "../../model/errors.js";
import { plainUsage } from "../../model/plain-usage.js";
import { type Usage, usageSchema } from "../../model/usage.js";
import { parse } from "../../model/validation.js";
import type { CachedChain } from "../chain/chain-cache.js";
import { type KeyRef, tokenEnded } from "../chain/key-resolver.js";
import type { Engine } from "../engine.js";
import { degrade, recover, refusedLocally } from "../outage/degrading.js";
import { type Admission, AdmittedCall, type Counted, UNCOUNTED } from "./admission.js";
import { CallIdempotency } from "./idempotency.js";
import { limitRefusal, NO_REFUSALS, refused, shadowRefusals } from "./refusing.js";
import { type Degraded, IssuedReservation } from "./reservation.js";
import { type Asked, reserve } from "./reserving.js";

/**
 * Decides about one call, without waiting if its chain is cached and its counts are in this process.
 *
 * A dry run makes the same decision in the same way, but charges nothing and reports nothing of the call.
 */
export function admit(engine: Engine, key: KeyRef, usage: Usage, dryRun: boolean): Promise<Admission> {
  try {
    const now = engine.settings.clock.now();
    const call = plainUsage(usage) ?? parse(usageSchema, usage, "usage");
    const found = engine.keys.peek(key, now);
    if (found === undefined) return admitLoaded(engine, key, call, now, dryRun);
    return Promise.resolve(decide(engine, found, call, now, dryRun));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Loads the chain first. Closing the gate waits for this; a chain found only after that is not charged. */
function admitLoaded(
  engine: Engine,
  key: KeyRef,
  call: Usage,
  now: number,
  dryRun: boolean,
): Promise<Admission> {
  return engine.underWay.during(async () => {
    const found = await engine.keys.load(key, now);
    if (engine.underWay.isOver) throw new ClosedError();
    return decide(engine, found, call, now, dryRun);
  });
}

/** Makes the checks in order, where the first that fails answers, and finally one `reserve` over every limit. */
function decide(
  engine: Engine,
  found: CachedChain | undefined,
  call: Usage,
  now: number,
  dryRun: boolean,
): Admission | Promise<Admission> {
  const compiled = found && !tokenEnded(found, now) ? found : undefined;
  const at = { now, dryRun, compiled };
  if (compiled === undefined) return refuse(engine, plainRefusal("invalid_key"), at);

  const reason = compiled.refusalAt(now);
  if (reason !== undefined) return refuse(engine, plainRefusal(reason), at);

  const requested = call.model ?? call.mcpServer ?? "";
  const isMcp = call.model === undefined;
  const plan = isMcp ? compiled.forMcpServer(requested) : compiled.forModel(requested);
  if (!plan.allowed) {
    return refuse(engine, plainRefusal(isMcp ? "mcp_server_not_allowed" : "model_not_allowed"), at);
  }

  const use = estimatedUse(plan, call, engine.settings);
  if (use === undefined) return refuse(engine, unpricedRefusal(requested), at);

  // If the first target has no price, the limits of the next one count.
  const isFirst = plan.models === undefined || use.models[0] === plan.models[0];
  const counted = isFirst ? plan : compiled.forTargets(use.models, requested);
  const idempotency = call.requestId === undefined ? undefined : new CallIdempotency(compiled, call, use);
  const asked: Asked = { call, requested, compiled, plan: counted, use, now, dryRun, idempotency };
  const charges = counted.charges(use, now);
  return answerDirectly(engine, asked, charges) ?? reserveElsewhere(engine, asked, charges);
}

/** Refuses a call and emits that, except in a dry run. */
function refuse(
  engine: Engine,
  refusal: Refused,
  { now, dryRun, compiled }: { now: number; dryRun: boolean; compiled: CompiledChain | undefined },
): Refused {
  return dryRun ? refusal : refused(engine, refusal, now, compiled);
}

/** Reserves through the four methods of `Counters`. Closing the gate waits for this. */
async function reserveElsewhere(engine: Engine, asked: Asked, charges: Charges): Promise<Admission> {
  engine.underWay.start();
  try {
    const answer = await reserveOrDegrade(engine, asked, charges);
    if (!answer.admitted) return refuse(engine, answer, asked);
    if (!asked.dryRun) engine.settings.ledger?.opened(answer.reservation);
    return answer;
  } finally {
    engine.underWay.end();
  }
}

/** Reserves, or does what `onCountersDown` says if the counters do not answer. */
async function reserveOrDegrade(engine: Engine, asked: Asked, charges: Charges): Promise<Admission> {
  try {
    const outcome = await reserve(engine, engine.settings.counters, asked, charges);
    recover(engine, asked.now);
    return concluded(engine, asked, charges, outcome);
  } catch (error) {
    if (!isTollgateError(error, "counters_unavailable")) throw error;
    return whileDown(engine, asked, charges, error);
  }
}

/** Does what `onCountersDown` says. */
async function whileDown(
  engine: Engine,
  asked: Asked,
  charges: Charges,
  error: CountersUnavailableError,
): Promise<Admission> {
  const { compiled } = asked;
  const mode = degrade(engine, asked.now, error);
  if (mode === "deny") return plainRefusal("counters_unavailable");
  if (mode === "local") {
    const outcome = await reserve(engine, engine.local, asked, engine.local.shared(charges));
    if (outcome.outcome === "refused") return refusedLocally(engine, compiled.orgId, asked.now, charges);
    return concluded(engine, asked, charges, outcome, "local");
  }
  const expiresAt = asked.now + engine.settings.reservationTtlMs;
  const times = { reservedAt: asked.now, expiresAt };
  const own = { ...NO_CHARGES, amounts: [] };
  if (!asked.dryRun) tell(engine, compiled, own, [], asked.now);
  return admitted(asked, engine.ids.next(), { ...times, ...UNCOUNTED, charges: own });
}

/** The short way for counters in this process, for a call for which every limit has room, or one that is refused. */
function answerDirectly(engine: Engine, asked: Asked, charges: Charges): AdmittedCall | Refused | undefined {
  const { direct } = engine.settings.counters;
  if (direct === undefined) return undefined;
  if (asked.idempotency !== undefined && direct.hasOpened(asked.idempotency.key)) return undefined;
  const admission = asked.dryRun
    ? foreseen(engine, direct, asked, charges)
    : reserved(engine, direct, asked, charges);
  if (admission !== undefined) return admission;
  const { plan, now } = asked;
  const readings = direct.refuse(now, plan, charges);
  return readings && refuse(engine, limitRefusal(chargeList(charges), readings, now), asked);
}

function reserved(
  engine: Engine,
  direct: DirectCounters,
  asked: Asked,
  charges: Charges,
): AdmittedCall | undefined {
  const { compiled, plan, use, now, idempotency } = asked;
  const { reservationTtlMs, ledger } = engine.settings;
  const made = direct.reserve(now, reservationTtlMs, plan, use, idempotency);
  if (made === undefined) return undefined;
  const { at: reservedAt, used, resetMs, held } = made;
  const { id, expiresAt } = held;
  tell(engine, compiled, charges, used, now);
  const answer = admitted(asked, id, {
    reservedAt,
    expiresAt,
    charges,
    used,
    resetMs,
    shadow: shadowRefusals(unpriced(asked), charges, undefined, now),
    degraded: undefined,
    held,
  });
  ledger?.opened(answer.reservation);
  return answer;
}

/** What {@link reserved} would answer. Nothing is reserved. */
function foreseen(
  { settings, ids }: Engine,
  direct: DirectCounters,
  asked: Asked,
  charges: Charges,
): AdmittedCall | undefined {
  const { plan, use, now } = asked;
  const outcome = direct.foresee(now, plan, use);
  if (outcome === undefined) return undefined;
  const { at: reservedAt, used, resetMs } = outcome;
  const expiresAt = reservedAt + settings.reservationTtlMs;
  const shadow = shadowRefusals(unpriced(asked), charges, undefined, now);
  const counted = { charges, used, resetMs, shadow, degraded: undefined };
  return admitted(asked, ids.next(), { reservedAt, expiresAt, ...counted });
}

/** What the call asked for, if budgets in shadow mode would have refused it for want of a price. */
function unpriced({ use, requested }: Asked): string | undefined {
  return use.lacksPrice ? requested : undefined;
}

/** Notes an admission: the budgets that it brings to a threshold, the use of its key, and whether that ends soon. */
function tell(
  engine: Engine,
  compiled: CachedChain,
  charges: Charges,
  used: readonly number[],
  now: number,
): void {
  engine.alerts.look(charges, used, now, compiled);
  engine.lastUsed?.record(compiled, now);
  engine.expiry.look(compiled, now);
}

/** The admission or refusal for the outcome of a reserve. */
function concluded(
  engine: Engine,
  asked: Asked,
  charges: Charges,
  outcome: ReserveOutcome,
  degraded?: Degraded,
): Admission {
  const { compiled, now, dryRun } = asked;
  switch (outcome.outcome) {
    case "reserved": {
      const shadow = shadowRefusals(unpriced(asked), charges, outcome.shadow, now);
      if (!dryRun) tell(engine, compiled, charges, outcome.used, now);
      const { id, reservedAt, expiresAt, used, resetMs } = outcome;
      return admitted(asked, id, { reservedAt, expiresAt, charges, used, resetMs, shadow, degraded });
    }
    case "replayed": {
      const held = withLimitsOf(sideBySide(outcome.charges), charges);
      const whole = { ...asked, use: heldUse(held, asked.use) };
      const { id, reservedAt, expiresAt, used, resetMs } = outcome;
      const counted = { charges: held, used, resetMs, shadow: NO_REFUSALS, degraded, isReplayed: true };
      return admitted(whole, id, { reservedAt, expiresAt, ...counted });
    }
    case "refused":
      return limitRefusal(chargeList(charges), outcome.readings, now);
    case "conflict":
      throw new ConflictError("usage.requestId belongs to an open reservation of this key with other usage");
    default:
      throw new Error(`counters answered ${outcome.outcome} to a reserve that extends nothing`);
  }
}

/** The answer for a call that passes. The amounts of its charges become the caller's. */
function admitted({ call, requested, compiled, use, now }: Asked, id: string, counted: Held): AdmittedCall {
  const made = {
    id,
    orgId: compiled.orgId,
    projectId: compiled.projectId,
    keyId: compiled.keyId,
    userId: compiled.userId,
    requested,
    model: use.models[0],
    models: use.models,
    reservedAt: counted.reservedAt,
    expiresAt: counted.expiresAt,
    inputTokens: use.inputTokens,
    outputTokens: use.outputTokens,
    costNanoUsd: use.costNanoUsd,
    byok: use.byok,
    parts: use.parts,
    tags: call.tags,
    degraded: counted.degraded,
    charges: counted.charges,
  };
  return new AdmittedCall(new IssuedReservation(made, counted.held), compiled.contentLogging, now, counted);
}

/** What a reservation is made from. */
interface Held extends Counted {
  readonly reservedAt: number;
  readonly expiresAt: number;
  /** What the short way returned. */
  readonly held?: DirectReservation;
}
