import { type Charges, chargeList } from "../../admission/charge.js";
import type { EstimatedUse } from "../../admission/estimated-use.js";
import type { Plan } from "../../admission/plan.js";
import type { Counters, ReserveOutcome, ReserveRequest } from "../../counters/counters.js";
import type { Usage } from "../../model/usage.js";
import type { CachedChain } from "../chain/chain-cache.js";
import type { Engine } from "../engine.js";
import { guarded, type StepListeners } from "../outage/guarded-counters.js";
import type { CallIdempotency } from "./idempotency.js";

/** One call in its last step. */
export interface Asked {
  readonly call: Usage;
  readonly requested: string;
  readonly compiled: CachedChain;
  readonly plan: Plan;
  readonly use: EstimatedUse;
  /** The one moment at which the whole decision is made. */
  readonly now: number;
  readonly dryRun: boolean;
  /** Given if the call has a request id. */
  readonly idempotency: CallIdempotency | undefined;
}

/**
 * Makes one reserve over every limit, through the four methods of `Counters`. If a store's client sent its command
 * twice, the first answer counts.
 */
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
    // Copied into plain data, since adapters serialize it.
    idempotency: idempotency && { key: idempotency.key, fingerprint: idempotency.fingerprint },
    dryRun,
  };
  const asked = guarded(engine.settings, counters);
  const { lostReserves } = engine;
  const answer = await lostReserves.during(request, () =>
    asked.reserve(request, undoing(engine, asked, request)),
  );
  if (!counters.inProcess) lostReserves.undo(asked, request.orgId, now);
  return isOwn(answer, request) ? { ...answer, outcome: "reserved" } : answer;
}

/** Whether an outcome is the reservation of this very request, made now or when the store's client first sent it. */
function isOwn(outcome: ReserveOutcome, { id }: ReserveRequest): outcome is Reserved {
  return outcome.outcome === "reserved" || (outcome.outcome === "replayed" && outcome.id === id);
}

type Reserved = Extract<ReserveOutcome, { readonly id: string }>;

/**
 * Makes sure that charges are given back which the counters may have made although the gate got no answer in time: the
 * connection broke, the server hung, or the client held the command back until it reconnected.
 *
 * If the call has a request id and was refused, the reservation stays: the next try with that id takes it over.
 */
function undoing(
  { settings, lostReserves }: Engine,
  counters: Pick<Counters, "settle">,
  request: ReserveRequest,
): StepListeners<ReserveOutcome> {
  const isLeft = request.idempotency !== undefined && settings.onCountersDown === "deny";
  if (isLeft || request.dryRun) return {};
  return {
    onFailure: (error) => lostReserves.note(request, error),
    onLate: (outcome) =>
      isOwn(outcome, request) && lostReserves.undoLate(counters, request, settings.clock.now()),
  };
}
