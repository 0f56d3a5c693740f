import * as z from "zod";
import type { Reading } from "../../admission/charge.js";
import { limitReading } from "../../admission/limit-reading.js";
import { unreadable } from "../../ledger/ledger.js";
import type { ReadableSink } from "../../ledger/sink.js";
import type { UsageEvent } from "../../ledger/usage-event.js";
import { ValidationError } from "../../model/errors.js";
import { idSchema } from "../../model/text.js";
import { parse, schemaOf } from "../../model/validation.js";
import { chunks } from "../chunks.js";
import type { Engine } from "../engine.js";
import { giveBack } from "../outage/degrading.js";
import { guarded } from "../outage/guarded-counters.js";
import { type Budget, budgetsOf, firstStartOf, type Spent, spentOf } from "./budget-sums.js";
import { heldFor, raise, turnToRebuild } from "./rebuilding.js";
import type { BudgetDifference, ReconcileQuery, Reconciliation, UnendedCall } from "./reconciliation.js";

const querySchema: z.ZodType<ReconcileQuery> = schemaOf<ReconcileQuery>()(
  z.strictObject({
    orgId: idSchema,
    keyIds: z.array(idSchema).optional(),
    rebuild: z.boolean().optional(),
    withExpired: z.boolean().optional(),
  }),
);

const UNENDED_MAX = 10_000;

const DAY_MS = 86_400_000;

/**
 * Compares the budgets of an org with the sums of its ledger.
 *
 * First this process writes its pending events to the ledger, and gives the counters what it counted without them. If
 * another process has yet to do either, that shows as a difference.
 *
 * @throws ValidationError if the gate has no ledger that can be read
 * @throws CountersUnavailableError if the counters do not answer, or do not take what was counted of the org without
 *   them
 * @throws LedgerUnavailableError if pending events could not be written
 * @throws NotFoundError if the org has no such key
 */
export async function reconcile(engine: Engine, given: ReconcileQuery): Promise<Reconciliation> {
  const query = parse(querySchema, given, "query");
  const { ledger, clock, reservationTtlMs } = engine.settings;
  if (ledger === undefined) {
    throw new ValidationError([{ field: "options.ledger", expected: "a ledger to compare with" }]);
  }
  const sink = ledger.readable;
  if (sink === undefined) throw unreadable();
  await ledger.flush();
  const now = clock.now();
  const { orgId, keyIds } = query;
  const budgets = await budgetsOf(engine, sink, query, now);
  const spent = await spentOf(sink, orgId, budgets, now);
  const from = Math.min(now - Math.max(DAY_MS, reservationTtlMs), firstStartOf(budgets));
  const unended = await sink.open({ orgId, keyIds, from, limit: UNENDED_MAX });
  // INVARIANT: the ledger is read before the counters. A call is counted before it is recorded, so what the counters
  // lack by then was lost, and is not a call that ended meanwhile.
  await giveBackOf(engine, orgId, now);
  const differences = query.rebuild
    ? await rebuilt({ engine, sink, query, budgets, spent, now })
    : differencesOf(spent, await readingsOf(engine, orgId, budgets, now), now);
  return { at: now, budgets: budgets.length, differences, unended: unended.map(unendedOf(now)) };
}

/**
 * Gives the counters what this process counted of the org without them. That is in the ledger, so a rebuild would add
 * it to the counts, and handing it over later would add it again.
 */
async function giveBackOf(engine: Engine, orgId: string, now: number): Promise<void> {
  try {
    await giveBack(engine, now);
  } catch (error) {
    // A failure that concerns other orgs only does not matter here.
    if (engine.local.owesOf(orgId)) throw error;
  }
}

/** What a rebuild works from. */
interface Comparison {
  readonly engine: Engine;
  readonly sink: ReadableSink;
  readonly query: ReconcileQuery;
  readonly budgets: readonly Budget[];
  /** What the ledger says about each of them. */
  readonly spent: readonly Spent[];
  readonly now: number;
}

/**
 * How many budgets the counters are asked about in one step. Redis and Postgres take about 0.1 ms for each, so with the
 * ten thousand keys that an org may have, the answer would come after the time-out.
 */
const BUDGETS_AT_ONCE = 500;

async function readingsOf(
  engine: Engine,
  orgId: string,
  budgets: readonly Budget[],
  now: number,
): Promise<Reading[]> {
  const counters = guarded(engine.settings);
  const readings: Reading[] = [];
  for (const some of chunks(budgets, BUDGETS_AT_ONCE)) {
    const charges = some.map(({ limit, period }) => ({ limit, amount: 0, period }));
    readings.push(...(await counters.read({ orgId, now, charges })));
  }
  return readings;
}

function differencesOf(
  spent: readonly Spent[],
  readings: readonly Reading[],
  now: number,
  raised: readonly number[] = [],
): BudgetDifference[] {
  return spent.flatMap(({ budget: { limit, projectId }, endedNanoUsd, expiredNanoUsd, openNanoUsd }, i) => {
    const { used = 0, resetMs = Number.POSITIVE_INFINITY } = readings[i] ?? {};
    const ledgerNanoUsd = endedNanoUsd + expiredNanoUsd;
    const differenceNanoUsd = used - ledgerNanoUsd - openNanoUsd;
    if (differenceNanoUsd === 0) return [];
    return {
      limit: limitReading(limit, { used, resetMs }, now),
      ...(limit.scope === "member" && { projectId }),
      countersNanoUsd: used,
      ledgerNanoUsd,
      expiredNanoUsd,
      openNanoUsd,
      differenceNanoUsd,
      rebuiltNanoUsd: raised[i] ?? 0,
    };
  });
}

/** Raises what is too low, one process at a time, and reports how it was found. */
async function rebuilt(comparison: Comparison): Promise<BudgetDifference[]> {
  const { engine, budgets, spent, now } = comparison;
  const { orgId } = comparison.query;
  const endTurn = await turnToRebuild(engine, orgId, now);
  try {
    const readings = await readingsOf(engine, orgId, budgets, now);
    if (endTurn === undefined) return differencesOf(spent, readings, now);
    const missing = await missingFrom(comparison, readings);
    for (const [i, budget] of budgets.entries()) {
      const amount = missing[i] ?? 0;
      if (amount > 0) await raise(engine, orgId, budget, amount, now);
    }
    return differencesOf(spent, readings, now, missing);
  } finally {
    await endTurn?.();
  }
}

/** By how much each count is too low: it should hold what has ended and what calls under way hold. Empty if none is. */
async function missingFrom(
  { engine, sink, query, budgets, spent, now }: Comparison,
  readings: readonly Reading[],
): Promise<number[]> {
  const { orgId, withExpired = false } = query;
  const lacking = ({ endedNanoUsd, expiredNanoUsd }: Spent, held: number, used: number) =>
    Math.max(0, endedNanoUsd + (withExpired ? expiredNanoUsd : 0) + held - used);
  const usedThen = (i: number) => readings[i]?.used ?? 0;
  if (!spent.some((one, i) => lacking(one, one.openNanoUsd, usedThen(i)) > 0)) return [];

  const from = firstStartOf(budgets);
  // If more calls are open, what the rest hold is left out: too little is added, never too much.
  const calls = await sink.open({ orgId, from, limit: UNENDED_MAX });
  const open = calls.filter(({ expiresAt }) => expiresAt > now);
  const held = await heldFor(engine, budgets, open, now);
  // Between the two readings, a call may have been admitted and another settled for less. The greater count contains
  // both.
  const after = await readingsOf(engine, orgId, budgets, now);
  return spent.map((one, i) => lacking(one, held[i] ?? 0, Math.max(usedThen(i), after[i]?.used ?? 0)));
}

function unendedOf(now: number): (event: UsageEvent) => UnendedCall {
  return ({ id, projectId, userId, keyId, model, admittedAt, expiresAt, costNanoUsd }) => ({
    ...{ id, projectId, userId, keyId, model, admittedAt, expiresAt },
    expired: expiresAt <= now,
    costNanoUsd,
  });
}
