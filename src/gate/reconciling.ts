import { z } from "zod";
import type { Charge } from "../admission/charge.js";
import { type Limit, scopeKey } from "../admission/limit.js";
import { type LimitReading, limitReading } from "../admission/limit-reading.js";
import { periodClock } from "../admission/limit-shape.js";
import type { Period } from "../admission/period.js";
import { unreadable } from "../ledger/ledger.js";
import type { ReadableSink, SumField } from "../ledger/sink.js";
import type { UsageEvent } from "../ledger/usage-event.js";
import { NotFoundError, ValidationError } from "../model/errors.js";
import { matches } from "../model/patterns.js";
import { idSchema } from "../model/text.js";
import { parse } from "../model/validation.js";
import type { Engine } from "./engine.js";
import { answerOf } from "./guarded-counters.js";
import type { ReservationIds } from "./reservation-ids.js";

/** Which budgets to compare. */
export interface ReconcileQuery {
  readonly orgId: string;
  /**
   * Only the budgets over these keys; over every key by default. A gate with a directory of its own knows only the keys
   * that are in the ledger: name them, where a key may have calls and none of them is in it.
   */
  readonly keyIds?: readonly string[] | undefined;
  /** Raise counts that are below the ledger to what it says; no count is ever lowered. Not done by default. */
  readonly rebuild?: boolean | undefined;
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
  /** The estimates of the calls that the ledger knows to be under way. */
  readonly openNanoUsd: number;
  /** What the counters hold beyond the two; below zero where they hold less. */
  readonly differenceNanoUsd: number;
  /** By how much the count was raised. */
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
  /** Of the periods that were compared, latest first; at most 10,000. */
  readonly unended: readonly UnendedCall[];
}

const querySchema: z.ZodType<ReconcileQuery> = z.strictObject({
  orgId: idSchema,
  keyIds: z.array(idSchema).optional(),
  rebuild: z.boolean().optional(),
});

const UNENDED_MAX = 10_000;

/** For so long a second rebuild of the same budget adds nothing: two that run at once would both see it missing. */
const REBUILD_TTL_MS = 10_000;

interface Budget {
  readonly limit: Limit;
  readonly period: Period | undefined;
  readonly projectId: string;
  readonly userId: string;
}

/**
 * Compares the budgets of an org with what its ledger adds up to. What is pending in this process is written first; what
 * is pending in another shows as a difference.
 *
 * @throws ValidationError where the gate has no ledger that can be read
 * @throws NotFoundError where the org has no such key
 */
export async function reconcile(
  engine: Engine,
  ids: ReservationIds,
  given: ReconcileQuery,
): Promise<Reconciliation> {
  const query = parse(querySchema, given, "query");
  const { ledger, counters, clock } = engine.settings;
  if (ledger === undefined) {
    throw new ValidationError([{ field: "options.ledger", expected: "a ledger to compare with" }]);
  }
  const sink = ledger.readable;
  if (sink === undefined) throw unreadable();
  await ledger.flush();
  const now = clock.now();
  const { orgId } = query;
  const budgets = await budgetsOf(engine, sink, query, now);
  const spent = await spentOf(sink, orgId, budgets, now);
  const from = Math.min(...budgets.map(startOf));
  const unended = budgets.length === 0 ? [] : await sink.open({ orgId, from, limit: UNENDED_MAX });
  // INVARIANT: the ledger is read before the counters. A call is counted before it is recorded, so what is missing from
  // the counters then was lost, and is not a call that ended meanwhile.
  const charges = budgets.map(({ limit, period }) => ({ limit, amount: 0, period }));
  const readings = await answerOf(engine, counters, () => counters.read({ orgId, now, charges }));

  const differences: BudgetDifference[] = [];
  for (const [i, budget] of budgets.entries()) {
    const used = readings[i]?.used ?? 0;
    const ledgerNanoUsd = spent[i] ?? 0;
    const openNanoUsd = unended.reduce((sum, call) => sum + openCost(call, budget, now), 0);
    const differenceNanoUsd = used - ledgerNanoUsd - openNanoUsd;
    if (differenceNanoUsd === 0) continue;
    const missing = query.rebuild ? Math.max(0, ledgerNanoUsd - used) : 0;
    const { limit, projectId } = budget;
    differences.push({
      limit: limitReading(limit, readings[i] ?? { used, resetMs: Number.POSITIVE_INFINITY }, now),
      ...(limit.scope === "member" && { projectId }),
      countersNanoUsd: used,
      ledgerNanoUsd,
      openNanoUsd,
      differenceNanoUsd,
      rebuiltNanoUsd: await rebuilt(engine, ids.next(), orgId, budget, missing, now),
    });
  }
  return { at: now, budgets: budgets.length, differences, unended: unended.map(unendedOf(now)) };
}

/** Every budget over the keys, each once, in its current period. */
async function budgetsOf(
  engine: Engine,
  sink: ReadableSink,
  { orgId, keyIds: asked }: ReconcileQuery,
  now: number,
): Promise<Budget[]> {
  const keyIds = asked ?? (await keysOf(engine, sink, orgId, now));
  const budgets = new Map<string, Budget>();
  for (const id of keyIds) {
    const key = { keyId: id };
    const found = engine.keys.peek(key, now) ?? (await engine.keys.load(key, now));
    if (found === undefined || found.compiled.orgId !== orgId) {
      if (asked !== undefined) throw new NotFoundError("key", id);
      continue; // it has spent and is gone; what is above it is compared through the others
    }
    const { limits, projectId, userId } = found.compiled;
    for (const limit of limits) {
      if (limit.meter !== "cost") continue;
      const period = periodClock(limit, engine.calendar)?.at(now);
      budgets.set(`${limit.scopeKey} ${limit.field}`, { limit, period, projectId, userId });
    }
  }
  return [...budgets.values()];
}

/** The keys on record, and those with calls: a directory of somebody's own cannot be asked for its keys. */
async function keysOf(
  { settings }: Engine,
  sink: ReadableSink,
  orgId: string,
  now: number,
): Promise<string[]> {
  const recorded = (await settings.storage?.find("key", { orgId })) ?? [];
  const ended = await sink.sum({ orgId, from: 0, to: now + 1, now, by: ["keyId"] });
  const unended = await sink.open({ orgId, from: 0, limit: UNENDED_MAX });
  return [
    ...new Set([
      ...recorded.map(({ id }) => id),
      ...ended.map(({ group }) => group[0] ?? ""),
      ...unended.map(({ keyId }) => keyId),
    ]),
  ];
}

const BY: readonly SumField[] = ["projectId", "userId", "keyId", "model", "requested", "countedAs", "mcp"];

/** What the ledger says of each budget, by one query for each period. */
async function spentOf(
  sink: ReadableSink,
  orgId: string,
  budgets: readonly Budget[],
  now: number,
): Promise<number[]> {
  const spent = budgets.map(() => 0n);
  const periods = new Map(budgets.map((budget) => [`${startOf(budget)} ${endOf(budget)}`, budget]));
  for (const one of periods.values()) {
    const from = startOf(one);
    const to = endOf(one);
    const places = new Map<string, number[]>();
    for (const [i, budget] of budgets.entries()) {
      if (startOf(budget) !== from || endOf(budget) !== to) continue;
      const { scopeKey } = budget.limit;
      places.set(scopeKey, [...(places.get(scopeKey) ?? []), i]);
    }
    const rows = await sink.sum({ orgId, from, to, now, by: BY });
    for (const { group, costNanoUsd, byokNanoUsd } of rows) {
      const [projectId = "", userId = "", keyId = "", model = "", requested = "", countedAs = "", mcp] =
        group;
      const call = { orgId, projectId, userId, keyId, model, requested, countedAs, mcp: mcp === "true" };
      for (const i of scopeKeysOf(call).flatMap((key) => places.get(key) ?? [])) {
        const limit = budgets[i]?.limit;
        if (limit === undefined || !concerns(limit, call)) continue;
        spent[i] = (spent[i] ?? 0n) + costNanoUsd + (limit.countByok ? byokNanoUsd : 0n);
      }
    }
  }
  return spent.map(Number);
}

function openCost(call: UsageEvent, budget: Budget, now: number): number {
  if (call.expiresAt <= now || (call.byok && !budget.limit.countByok)) return 0;
  const isInPeriod = call.admittedAt >= startOf(budget) && call.admittedAt < endOf(budget);
  const isOfScope = scopeKeysOf(call).includes(budget.limit.scopeKey);
  return isInPeriod && isOfScope && concerns(budget.limit, call) ? call.costNanoUsd : 0;
}

type Whose = Pick<
  UsageEvent,
  "orgId" | "projectId" | "userId" | "keyId" | "model" | "requested" | "countedAs" | "mcp"
>;

/** The four scopes of a call. */
function scopeKeysOf({ orgId, projectId, userId, keyId }: Whose): string[] {
  return [
    scopeKey("org", orgId),
    scopeKey("project", orgId, projectId),
    scopeKey("member", orgId, projectId, userId),
    scopeKey("key", orgId, keyId),
  ];
}

/** Whether a limit of one of its scopes is about a call. */
function concerns({ perModel }: Limit, { mcp, countedAs, requested, model }: Whose): boolean {
  if (perModel === undefined) return true;
  return !mcp && [countedAs, requested, model].some((name) => matches(perModel, name));
}

function startOf({ period }: Budget): number {
  return period?.startsAt ?? 0;
}

/** Of a lifetime, beyond every moment. */
function endOf({ period }: Budget): number {
  return period?.endsAt ?? Number.MAX_SAFE_INTEGER;
}

/**
 * Raises a count, over its max if need be. The reservation is left to expire: what it charged stays charged, and until
 * then the same rebuild from another process is answered by it.
 */
async function rebuilt(
  engine: Engine,
  id: string,
  orgId: string,
  { limit, period }: Budget,
  missing: number,
  now: number,
): Promise<number> {
  if (missing === 0) return 0;
  const charge: Charge = { limit: { ...limit, mode: "shadow" }, amount: missing, period };
  const key = JSON.stringify(["rebuild", limit.scopeKey, limit.field, period?.index ?? null]);
  const { counters } = engine.settings;
  const idempotency = { key, fingerprint: "rebuild" };
  const request = { id, orgId, now, ttlMs: REBUILD_TTL_MS, charges: [charge], idempotency };
  const { outcome } = await answerOf(engine, counters, () => counters.reserve(request));
  return outcome === "reserved" ? missing : 0;
}

function unendedOf(now: number): (event: UsageEvent) => UnendedCall {
  return ({ id, projectId, userId, keyId, model, admittedAt, expiresAt, costNanoUsd }) => ({
    ...{ id, projectId, userId, keyId, model, admittedAt, expiresAt },
    expired: expiresAt <= now,
    costNanoUsd,
  });
}
