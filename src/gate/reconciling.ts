import * as z from "zod";
import type { Reading } from "../admission/charge.js";
import { type LimitReading, limitReading } from "../admission/limit-reading.js";
import { unreadable } from "../ledger/ledger.js";
import type { ReadableSink } from "../ledger/sink.js";
import type { UsageEvent } from "../ledger/usage-event.js";
import { ValidationError } from "../model/errors.js";
import { idSchema } from "../model/text.js";
import { parse, schemaOf } from "../model/validation.js";
import { type Budget, budgetsOf, type Spent, spentOf, startOf } from "./budget-sums.js";
import type { Engine } from "./engine.js";
import { guarded } from "./guarded-counters.js";
import { giveBack } from "./outage.js";
import { heldFor, raise, turnToRebuild } from "./rebuilding.js";

/** Which budgets to compare. */
export interface ReconcileQuery {
  readonly orgId: string;
  /**
   * Only the budgets over these keys; over every key by default. A gate with a directory of its own knows only the keys
   * that are in the ledger: name them, where a key may have calls and none of them is in it.
   */
  readonly keyIds?: readonly string[] | undefined;
  /**
   * Raise counts that are below the ledger to what it says: to the calls that have ended, and those under way that the
   * counters hold. No count is ever lowered. Not done by default. After an outage that was counted with `onCountersDown: "local"`,
   * wait until every process has told `restored`: what one has yet to give the counters would be charged twice.
   */
  readonly rebuild?: boolean | undefined;
  /**
   * Whether a rebuild adds the estimates of expired calls too. Say so where counts were lost, as a whole or in part: what they still
   * hold for such calls else hides a loss of the same size. Not by default: the counters may have the end of a call that the ledger
   * has lost, and would then have both, for good.
   */
  readonly withExpired?: boolean | undefined;
}

/** A budget whose count is not what the ledger adds up to, in its current period. */
export interface BudgetDifference {
  /** The budget with its count as it was found. */
  readonly limit: LimitReading;
  /** The project of a member. */
  readonly projectId?: string;
  /** What the counters hold, open reservations included. */
  readonly countersNanoUsd: number;
  /** What the calls cost that the ledger knows the end of, or that have expired. */
  readonly ledgerNanoUsd: number;
  /** How much of that are estimates of expired calls: where the ledger has lost their ends, they cost less. */
  readonly expiredNanoUsd: number;
  /** The estimates of the calls that the ledger knows to be under way. */
  readonly openNanoUsd: number;
  /** What the counters hold beyond the two; below zero where they hold less. */
  readonly differenceNanoUsd: number;
  /** By how much the count was raised; nothing while another process rebuilds counts of the org. */
  readonly rebuiltNanoUsd: number;
}

/** A call whose end the ledger does not know: it is under way, or its process died before it could write it. */
export interface UnendedCall {
  /** The reservation's id. */
  readonly id: string;
  readonly projectId: string;
  readonly userId: string;
  readonly keyId: string;
  readonly model: string;
  readonly admittedAt: number;
  readonly expiresAt: number;
  /** Whether it is past `expiresAt`: the reports count its estimate then. */
  readonly expired: boolean;
  /** What was reserved for it. */
  readonly costNanoUsd: number;
}

/** Where counters and ledger are not at one. */
export interface Reconciliation {
  readonly at: number;
  /** Budgets that were compared. */
  readonly budgets: number;
  readonly differences: readonly BudgetDifference[];
  /**
   * Of the keys that were asked for, latest first; at most 10,000. Those of the periods that were compared, and of a day, or
   * of the TTL of a reservation where that is longer.
   */
  readonly unended: readonly UnendedCall[];
}

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
 * Compares the budgets of an org with what its ledger adds up to. What is pending in this process is written first; what
 * is pending in another shows as a difference. What this process counted without the counters they are given first; what
 * another did shows as a difference until that one tells `restored`.
 *
 * @throws ValidationError where the gate has no ledger that can be read
 * @throws CountersUnavailableError where the counters do not answer, or do not take what was counted of the org without them
 * @throws LedgerUnavailableError where what is pending could not be written
 * @throws NotFoundError where the org has no such key
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
  const from = Math.min(now - Math.max(DAY_MS, reservationTtlMs), ...budgets.map(startOf));
  const unended = await sink.open({ orgId, keyIds, from, limit: UNENDED_MAX });
  // INVARIANT: the ledger is read before the counters. A call is counted before it is recorded, so what is missing from
  // the counters then was lost, and is not a call that ended meanwhile.
  const compared = budgets.map((budget, i) => ({ budget, spent: spent[i] ?? NOTHING }));
  await giveBackOf(engine, orgId, now);
  const differences = query.rebuild
    ? await rebuilt(engine, sink, query, compared, now)
    : differencesOf(compared, await readingsOf(engine, orgId, budgets, now), now);
  return { at: now, budgets: budgets.length, differences, unended: unended.map(unendedOf(now)) };
}

/**
 * Gives the counters what this process counted of the org without them. It is in the ledger: a rebuild would add it, and it
 * would be given after that.
 */
async function giveBackOf(engine: Engine, orgId: string, now: number): Promise<void> {
  try {
    await giveBack(engine, now);
  } catch (error) {
    // What they do not take of another org is nothing to this one.
    if (engine.local.owesOf(orgId)) throw error;
  }
}

interface Compared {
  readonly budget: Budget;
  readonly spent: Spent;
}

const NOTHING: Spent = { endedNanoUsd: 0, expiredNanoUsd: 0, openNanoUsd: 0 };

function readingsOf(
  engine: Engine,
  orgId: string,
  budgets: readonly Budget[],
  now: number,
): Promise<Reading[]> {
  const charges = budgets.map(({ limit, period }) => ({ limit, amount: 0, period }));
  return guarded(engine).read({ orgId, now, charges });
}

function differencesOf(
  compared: readonly Compared[],
  readings: readonly Reading[],
  now: number,
  raised: readonly number[] = [],
): BudgetDifference[] {
  return compared.flatMap(({ budget: { limit, projectId }, spent }, i) => {
    const { used = 0, resetMs = Number.POSITIVE_INFINITY } = readings[i] ?? {};
    const { endedNanoUsd, expiredNanoUsd, openNanoUsd } = spent;
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

/** Raises what is too low, one process at a time, and tells how it was found. */
async function rebuilt(
  engine: Engine,
  sink: ReadableSink,
  { orgId, withExpired = false }: ReconcileQuery,
  compared: readonly Compared[],
  now: number,
): Promise<BudgetDifference[]> {
  const budgets = compared.map(({ budget }) => budget);
  const endTurn = await turnToRebuild(engine, orgId, now);
  try {
    const readings = await readingsOf(engine, orgId, budgets, now);
    if (endTurn === undefined) return differencesOf(compared, readings, now);
    // What has ended and is not in the counts; what these hold for calls under way is no part of it.
    const lacking = ({ spent }: Compared, held: number, used: number) => {
      const ended = spent.endedNanoUsd + (withExpired ? spent.expiredNanoUsd : 0);
      return Math.max(0, ended + held - used);
    };
    const usedThen = (i: number) => readings[i]?.used ?? 0;
    const isShort = compared.some((one, i) => lacking(one, one.spent.openNanoUsd, usedThen(i)) > 0);
    const from = Math.min(...budgets.map(startOf));
    // Where more are open, what the rest holds is left out: too little is added, never too much.
    const calls = isShort ? await sink.open({ orgId, from, limit: UNENDED_MAX }) : [];
    const open = calls.filter(({ expiresAt }) => expiresAt > now);
    const held = await heldFor(engine, budgets, open, now);
    // A call may have been admitted before the open ones were read, another settled for less: the greater count has both.
    const after = isShort ? await readingsOf(engine, orgId, budgets, now) : readings;
    const raised = compared.map((one, i) =>
      lacking(one, held[i] ?? 0, Math.max(usedThen(i), after[i]?.used ?? 0)),
    );
    for (const [i, budget] of budgets.entries()) {
      const missing = raised[i] ?? 0;
      if (missing > 0) await raise(engine, orgId, budget, missing, now);
    }
    return differencesOf(compared, readings, now, raised);
  } finally {
    await endTurn?.();
  }
}

function unendedOf(now: number): (event: UsageEvent) => UnendedCall {
  return ({ id, projectId, userId, keyId, model, admittedAt, expiresAt, costNanoUsd }) => ({
    ...{ id, projectId, userId, keyId, model, admittedAt, expiresAt },
    expired: expiresAt <= now,
    costNanoUsd,
  });
}
