import { chargesOf } from "../admission/amounts.js";
import type { Charge, Reading } from "../admission/charge.js";
import type { CompiledChain } from "../admission/compiled-chain.js";
import { type EstimatedUse, estimatedUse } from "../admission/estimated-use.js";
import { LimitRefusal, namedIndex, plainRefusal, type Refusal, type Refused } from "../admission/refusal.js";
import type { Counters, ReserveOutcome, ReserveRequest } from "../counters/counters.js";
import { ConflictError, CountersUnavailableError } from "../model/errors.js";
import { plainUsage, type Usage, usageSchema } from "../model/usage.js";
import { parse } from "../model/validation.js";
import { type Admission, AdmittedCall } from "./admission.js";
import { contextOf, type Engine } from "./engine.js";
import { answerOf } from "./guarded-counters.js";
import { type KeyRef, tokenEnded } from "./key-resolver.js";
import { type Degraded, IssuedReservation } from "./reservation.js";

/** Makes ids of reservations: unlike those of any other process, and in order within this one. */
export class ReservationIds {
  readonly #prefix: string;
  #last = 0;

  /** @param nonce text that no other process has */
  constructor(nonce: string) {
    this.#prefix = `${nonce}-`;
  }

  next(): string {
    return this.#prefix + (++this.#last).toString(36);
  }
}

/**
 * Decides about one call: the checks in their order, the first that fails answers, and at the end one `reserve` over
 * every limit. A dry run is the same decision on the same way; it charges nothing and tells nobody.
 */
export async function admit(
  engine: Engine,
  ids: ReservationIds,
  key: KeyRef,
  usage: Usage,
  dryRun: boolean,
): Promise<Admission> {
  const now = engine.settings.clock.now();
  const call = plainUsage(usage) ?? parse(usageSchema, usage, "usage");
  const found = engine.keys.peek(key, now) ?? (await engine.keys.load(key, now));
  const compiled = found && !tokenEnded(found, now) ? found.compiled : undefined;
  const refuse = (refusal: Refused) => (dryRun ? refusal : refused(engine, refusal, now, compiled));
  if (compiled === undefined) return refuse(plainRefusal("invalid_key"));

  const reason = compiled.refusalAt(now);
  if (reason !== undefined) return refuse(plainRefusal(reason));

  const requested = call.model ?? call.mcpServer ?? "";
  const isMcp = call.model === undefined;
  const plan = isMcp ? compiled.forMcpServer(requested) : compiled.forModel(requested);
  if (!plan.allowed) return refuse(plainRefusal(isMcp ? "mcp_server_not_allowed" : "model_not_allowed"));

  const use = estimatedUse(plan, call, engine.settings);
  if (use === undefined) return refuse(plainRefusal("model_unpriced"));

  // Where the first target has no price, the limits of the next one count.
  const { limits, clocks } =
    use.models[0] === plan.models[0] ? plan : compiled.forTargets(use.models, requested);
  const charges = chargesOf(limits, clocks, use, now);
  const asked: Asked = { call, requested, compiled, use, charges, now, dryRun };
  let answer: Admission;
  try {
    answer = concluded(engine, asked, await reserve(engine, ids, engine.settings.counters, asked));
  } catch (error) {
    if (!(error instanceof CountersUnavailableError)) throw error;
    answer = await whileDown(engine, ids, asked, error);
  }
  return answer.admitted ? answer : refuse(answer);
}

/** What `onCountersDown` says. */
async function whileDown(
  engine: Engine,
  ids: ReservationIds,
  asked: Asked,
  error: CountersUnavailableError,
): Promise<Admission> {
  const mode = degrade(engine, asked.now, error);
  if (mode === "deny") return plainRefusal("counters_unavailable");
  if (mode === "local") {
    return concluded(engine, asked, await reserve(engine, ids, engine.localCounters, asked), "local");
  }
  const expiresAt = asked.now + engine.settings.reservationTtlMs;
  const uncounted = { id: ids.next(), reservedAt: asked.now, expiresAt, charges: [], used: [], resetMs: [] };
  return admitted(asked, NO_REFUSALS, "uncounted", uncounted);
}

/** What the gate does while its counters do not answer, told to whoever listens. */
export function degrade(engine: Engine, now: number, error: CountersUnavailableError): "deny" | Degraded {
  const { onCountersDown } = engine.settings;
  const mode = onCountersDown === "allow" ? "uncounted" : onCountersDown;
  engine.events.emit("degraded", { at: now, mode, error });
  return mode;
}

/** One call on its way through the last step. */
interface Asked {
  readonly call: Usage;
  readonly requested: string;
  readonly compiled: CompiledChain;
  readonly use: EstimatedUse;
  readonly charges: readonly Charge[];
  /** The one moment of the whole decision. */
  readonly now: number;
  readonly dryRun: boolean;
}

function reserve(
  engine: Engine,
  ids: ReservationIds,
  counters: Counters,
  { call, compiled, charges, now, dryRun }: Asked,
): Promise<ReserveOutcome> {
  const request: ReserveRequest = {
    id: ids.next(),
    orgId: compiled.orgId,
    now,
    ttlMs: engine.settings.reservationTtlMs,
    charges,
    idempotency: call.requestId === undefined ? undefined : idempotencyOf(compiled, call, call.requestId),
    dryRun,
  };
  return answerOf(engine, counters, () => counters.reserve(request));
}

/** The admission that the outcome of a reserve makes. */
function concluded(engine: Engine, asked: Asked, outcome: ReserveOutcome, degraded?: Degraded): Admission {
  const { charges, compiled, now, dryRun } = asked;
  switch (outcome.outcome) {
    case "reserved": {
      const shadow = outcome.shadow ? shadowRefusals(charges, outcome.shadow, now) : NO_REFUSALS;
      if (!dryRun) {
        engine.alerts.look(charges, outcome.used, now, compiled);
        engine.lastUsed?.record(compiled.keyId, now);
        engine.expiry.look(compiled, now);
      }
      return admitted(asked, shadow, degraded, outcome);
    }
    case "replayed":
      return admitted(asked, NO_REFUSALS, degraded, outcome);
    case "refused":
      return limitRefusal(charges, outcome.readings, now);
    case "conflict":
      throw new ConflictError("usage.requestId belongs to an open reservation of this key with other usage");
    default:
      throw new Error(`counters answered ${outcome.outcome} to a reserve that extends nothing`);
  }
}

const NO_REFUSALS: readonly Refusal[] = Object.freeze([]);

function admitted(
  { call, requested, compiled, use, now }: Asked,
  shadow: readonly Refusal[],
  degraded: Degraded | undefined,
  counted: {
    readonly id: string;
    readonly reservedAt: number;
    readonly expiresAt: number;
    readonly charges: readonly Charge[];
    readonly used: readonly number[];
    readonly resetMs: readonly number[];
  },
): AdmittedCall {
  const reservation = new IssuedReservation({
    id: counted.id,
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
    tags: call.tags,
    degraded,
    charges: counted.charges,
  });
  const { charges, used, resetMs } = counted;
  return new AdmittedCall(reservation, use.models, compiled.contentLogging, shadow, degraded, charges, {
    used,
    resetMs,
    now,
  });
}

/** The refusal by the limit that is to be named. */
export function limitRefusal(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
): LimitRefusal {
  return new LimitRefusal(charges, readings, namedIndex(charges, readings, "enforce"), now);
}

/** A refusal, told to whoever listens. */
export function refused(engine: Engine, refusal: Refused, now: number, compiled?: CompiledChain): Refused {
  if (engine.events.wants("refusal")) {
    const context = compiled && { context: contextOf(compiled) };
    engine.events.emit("refusal", { at: now, refusal, ...context });
  }
  return refusal;
}

/** What the limits in shadow mode would have refused. */
function shadowRefusals(
  charges: readonly Charge[],
  readings: readonly Reading[],
  now: number,
): readonly Refusal[] {
  const short = charges.flatMap(({ limit }, i) => {
    const waits = (readings[i]?.waitMs ?? 0) > 0;
    return limit.mode === "shadow" && waits ? [new LimitRefusal(charges, readings, i, now)] : [];
  });
  return short.length > 0 ? short : NO_REFUSALS;
}

/** A request id is the key's own; two keys may use the same one. */
function idempotencyOf({ orgId, keyId }: CompiledChain, call: Usage, requestId: string) {
  const { model, mcpServer, inputTokens, maxOutputTokens, costUsd, byok, tags } = call;
  return {
    key: JSON.stringify([orgId, keyId, requestId]),
    fingerprint: JSON.stringify([model, mcpServer, inputTokens, maxOutputTokens, costUsd, byok, tags]),
  };
}
