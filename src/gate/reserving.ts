import { type Charges, chargeList } from "../admission/charge.js";
import type { CompiledChain } from "../admission/compiled-chain.js";
import type { EstimatedUse } from "../admission/estimated-use.js";
import type { Plan } from "../admission/plan.js";
import type { Counters, ReserveOutcome, ReserveRequest } from "../counters/counters.js";
import type { Usage } from "../model/usage.js";
import type { Engine } from "./engine.js";
import { answerOf, guarded } from "./guarded-counters.js";
import type { CallIdempotency } from "./idempotency.js";

/** One call on its way through the last step. */
export interface Asked {
  readonly call: Usage;
  readonly requested: string;
  readonly compiled: CompiledChain;
  readonly plan: Plan;
  readonly use: EstimatedUse;
  /** The one moment of the whole decision. */
  readonly now: number;
  readonly dryRun: boolean;
  /** Where the call has a request id. */
  readonly idempotency: CallIdempotency | undefined;
}

/** One reserve over every limit, on the ordinary way of counters. What the client has sent again is answered as sent once. */
export async function reserve(
  engine: Engine,
  counters: Counters,
  { compiled, now, dryRun, idempotency }: Asked,
  charges: Charges,
): Promise<ReserveOutcome> {
  const request: ReserveRequest = {
    id: engine.ids.next(),
    orgId: compiled.orgId,
    now,
    ttlMs: engine.settings.reservationTtlMs,
    charges: chargeList(charges),
    // As plain data: adapters write it down.
    idempotency: idempotency && { key: idempotency.key, fingerprint: idempotency.fingerprint },
    dryRun,
  };
  const answer = await answerOf(
    engine,
    counters,
    () => sent(engine, counters, request),
    (outcome) => undoLate(engine, counters, request, outcome),
  );
  if (answer.outcome === "replayed") engine.lostReserves.forget(request.orgId, answer.id);
  if (!counters.inProcess) engine.lostReserves.undo(guarded(engine, counters), request.orgId, now);
  return isOwn(answer, request) ? { ...answer, outcome: "reserved" } : answer;
}

/**
 * Asks counters to reserve. A failure with a request id is left to the try that takes the reservation over, unless the call is counted
 * in this process meanwhile.
 */
function sent(engine: Engine, counters: Counters, request: ReserveRequest): Promise<ReserveOutcome> {
  const answer = counters.reserve(request);
  const isLeft = request.idempotency && engine.settings.onCountersDown !== "local";
  const isToBeUndone = !(counters.inProcess || request.dryRun || isLeft);
  if (isToBeUndone) answer.catch((error: unknown) => engine.lostReserves.note(request, error));
  return answer;
}

/** Whether an outcome is the reservation of this very request: made now or, where the client has sent it again, the first time. */
function isOwn(outcome: ReserveOutcome, { id }: ReserveRequest): outcome is Reserved {
  return outcome.outcome === "reserved" || (outcome.outcome === "replayed" && outcome.id === id);
}

type Reserved = Extract<ReserveOutcome, { readonly id: string }>;

/**
 * Gives back what counters charged after the gate had given up waiting: a client may have kept the command until it was connected
 * again, or the server hung. With a request id the reservation is left for the next try to take over, unless the call has been
 * counted in this process meanwhile.
 */
async function undoLate(
  engine: Engine,
  counters: Counters,
  request: ReserveRequest,
  outcome: ReserveOutcome,
): Promise<void> {
  if (!isOwn(outcome, request) || request.dryRun) return;
  if (request.idempotency !== undefined && engine.settings.onCountersDown !== "local") return;
  const { id, orgId } = request;
  const amounts = request.charges.map((charge) => ({ ...charge, amount: 0 }));
  try {
    await counters.settle({ id, orgId, now: engine.settings.clock.now(), amounts });
  } catch (error) {
    engine.lostReserves.note(request, error);
  }
}
