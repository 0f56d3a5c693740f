import { setImmediate } from "node:timers/promises";
import { countName, type Limit, scopeKey } from "../../admission/limit.js";
import type { Period } from "../../admission/period.js";
import { inTurns } from "../../ledger/in-turns.js";
import type { ReadableSink, SumField, Sums } from "../../ledger/sink.js";
import type { UsageEvent } from "../../ledger/usage-event.js";
import { NotFoundError } from "../../model/errors.js";
import { masked } from "../../model/masked.js";
import { matches } from "../../model/patterns.js";
import type { Storage } from "../../storage/storage.js";
import type { Engine } from "../engine.js";
import type { ReconcileQuery } from "./reconciliation.js";

/** A budget in its current period. */
export interface Budget {
  readonly limit: Limit;
  readonly period: Period | undefined;
  /** When the period begins, or for a budget without periods the moment from which it counts. */
  readonly from: number;
  /** When the period ends. Later than any call if there is none. */
  readonly to: number;
  readonly projectId: string;
}

/** Every budget that applies to the keys, each once, in its current period. */
export async function budgetsOf(
  engine: Engine,
  sink: ReadableSink,
  { orgId, keyIds: asked }: Pick<ReconcileQuery, "orgId" | "keyIds">,
  now: number,
): Promise<Budget[]> {
  const keyIds = asked ?? (await keysOf(engine, sink, orgId, now));
  const creditFrom = await firstGrantAt(engine, orgId);
  const budgets = new Map<string, Budget>();
  for (const [i, id] of keyIds.entries()) {
    // Memory and SQLite never wait for anything, so without this all calls would wait for the chains of all keys.
    if (i > 0 && i % CHAINS_IN_A_TURN === 0) await setImmediate();
    const found = await engine.keys.find({ keyId: id }, now);
    if (found === undefined || found.orgId !== orgId) {
      if (asked !== undefined) throw new NotFoundError("key", id);
      continue; // a key that is gone: the budgets above it are compared by way of the keys that are left
    }
    const { limits, projectId } = found;
    for (const limit of limits) {
      if (limit.meter !== "cost") continue;
      const period = engine.calendar.clockOf(limit)?.at(now);
      budgets.set(countName(limit), {
        limit,
        period,
        from: period?.startsAt ?? (limit.window.name === "credits" ? creditFrom : 0),
        to: period?.endsAt ?? Number.MAX_SAFE_INTEGER,
        projectId,
      });
    }
  }
  return [...budgets.values()];
}

/** How many chains are looked up before calls are let in: each takes several reads. */
const CHAINS_IN_A_TURN = 100;

/**
 * The keys of an org. A directory of the caller's cannot list them, so beside one they are those in the storage, if
 * there is one, and those with calls in the ledger, all of which has to be read for that.
 */
async function keysOf(
  { settings }: Engine,
  sink: ReadableSink,
  orgId: string,
  now: number,
): Promise<string[]> {
  const recorded = settings.storage ? await recordedKeys(settings.storage, orgId) : [];
  if (settings.directory === undefined) return recorded;
  const all = { orgId, from: 0, to: now + 1, now, by: ["keyId"] } as const;
  const ended = await sink.sum(all);
  const open = await sink.sum({ ...all, underWay: true });
  return [...new Set([...recorded, ...[...ended, ...open].map(({ group }) => group[0] ?? "")])];
}

/** How many keys are read at once. */
const KEYS_AT_ONCE = 1_000;

async function recordedKeys(storage: Storage, orgId: string): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const found = await storage.find("key", { orgId }, { after: ids.at(-1), limit: KEYS_AT_ONCE });
    ids.push(...found.map(({ id }) => id));
    if (found.length < KEYS_AT_ONCE) return ids;
    await setImmediate();
  }
}

/** What the ledger says about a budget. */
export interface Spent {
  readonly budget: Budget;
  /** The cost of the calls whose end it knows. */
  readonly endedNanoUsd: number;
  /** The estimates of the calls that nobody settled in time. */
  readonly expiredNanoUsd: number;
  /** The estimates of the calls under way. */
  readonly openNanoUsd: number;
}

const BY: readonly SumField[] = [
  "projectId",
  "userId",
  "keyId",
  "model",
  "requested",
  "countedAs",
  "mcp",
  "outcome",
];

/** What was spent of a budget, while rows of the ledger are being added. */
interface Sum {
  readonly budget: Budget;
  ended: bigint;
  expired: bigint;
  open: bigint;
}

/** The sums of the budgets that share a period, by the key of their scope. */
interface PeriodSums {
  readonly from: number;
  readonly to: number;
  readonly byScope: Map<string, Sum[]>;
}

/** What the ledger says about each budget, by two queries per period. */
export async function spentOf(
  sink: ReadableSink,
  orgId: string,
  budgets: readonly Budget[],
  now: number,
): Promise<Spent[]> {
  const sums = budgets.map((budget): Sum => ({ budget, ended: 0n, expired: 0n, open: 0n }));
  for (const { from, to, byScope } of byPeriod(sums)) {
    for (const underWay of [false, true]) {
      const rows = await sink.sum({ orgId, from, to, now, by: BY, underWay });
      await inTurns(rows, (row) => addRow(byScope, orgId, row, underWay));
    }
  }
  return sums.map(({ budget, ended, expired, open }) => ({
    budget,
    endedNanoUsd: Number(ended),
    expiredNanoUsd: Number(expired),
    openNanoUsd: Number(open),
  }));
}

function byPeriod(sums: readonly Sum[]): Iterable<PeriodSums> {
  const periods = new Map<string, PeriodSums>();
  for (const sum of sums) {
    const { from, to, limit } = sum.budget;
    const period = periods.get(`${from} ${to}`) ?? { from, to, byScope: new Map() };
    periods.set(`${from} ${to}`, period);
    period.byScope.set(limit.scopeKey, [...(period.byScope.get(limit.scopeKey) ?? []), sum]);
  }
  return periods.values();
}

/** Adds the cost of one row's calls to every budget that pays for them. */
function addRow(byScope: PeriodSums["byScope"], orgId: string, row: Sums, underWay: boolean): void {
  const { call, outcome } = callOf(orgId, row.group);
  const open = underWay ? "open" : "expired";
  const part = outcome === "open" ? open : "ended";
  for (const sum of scopeKeysOf(call).flatMap((key) => byScope.get(key) ?? [])) {
    const { limit } = sum.budget;
    if (concerns(limit, call)) sum[part] += row.costNanoUsd + (limit.countByok ? row.byokNanoUsd : 0n);
  }
}

type Whose = Pick<
  UsageEvent,
  "orgId" | "projectId" | "userId" | "keyId" | "model" | "requested" | "countedAs" | "mcp"
>;

/** Whose calls a row of {@link BY} adds up. */
function callOf(orgId: string, group: readonly string[]): { readonly call: Whose; readonly outcome: string } {
  const [
    projectId = "",
    userId = "",
    keyId = "",
    model = "",
    requested = "",
    countedAs = "",
    mcp,
    outcome = "",
  ] = group;
  const call = { orgId, projectId, userId, keyId, model, requested, countedAs, mcp: mcp === "true" };
  return { call, outcome };
}

/** The four scopes of a call. */
function scopeKeysOf({ orgId, projectId, userId, keyId }: Whose): string[] {
  return [
    scopeKey("org", orgId),
    scopeKey("project", orgId, projectId),
    scopeKey("member", orgId, projectId, userId),
    scopeKey("key", orgId, keyId),
  ];
}

/**
 * Whether a limit of one of the call's scopes counts the call. The ledger masks parts of model names that may be a
 * token, so the pattern is masked too. Two names that differ only in such a part are not told apart.
 */
function concerns({ perModel }: Limit, { mcp, countedAs, requested, model }: Whose): boolean {
  if (perModel === undefined) return true;
  const pattern = masked(perModel);
  return !mcp && [countedAs, requested, model].some((name) => matches(pattern, name));
}

/** When the first of the budgets' periods begins. `Infinity` if there are no budgets. */
export function firstStartOf(budgets: readonly Pick<Budget, "from">[]): number {
  return earliest(budgets.map(({ from }) => from));
}

/** Not `Math.min`, which takes about a hundred thousand arguments: there may be more keys, each with a budget. */
function earliest(moments: readonly number[]): number {
  return moments.reduce((first, at) => Math.min(first, at), Number.POSITIVE_INFINITY);
}

/** When an org was first granted credit. What it spent before that was not spent from credit. */
async function firstGrantAt({ settings: { storage } }: Engine, orgId: string): Promise<number> {
  const grants = (await storage?.find("creditGrant", { orgId })) ?? [];
  const first = earliest(grants.map(({ createdAt }) => createdAt));
  return Number.isFinite(first) ? first : 0;
}
