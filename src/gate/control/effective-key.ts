import { CompiledChain } from "../../admission/compiled-chain.js";
import { keyRefusal } from "../../admission/key-checks.js";
import type { Limit, Window } from "../../admission/limit.js";
import { type KeyRefusalReason, MESSAGES } from "../../admission/reasons.js";
import type { KeyChain } from "../../model/chain.js";
import { NotFoundError } from "../../model/errors.js";
import type { Meter, ScopeKind } from "../../model/limits.js";
import { usdOf } from "../../model/money.js";
import type { Records } from "../../model/records.js";
import type { Engine } from "../engine.js";
import { type AllowList, intersectLists } from "./allow-lists.js";

/** One limit that a key's calls count against. */
export interface EffectiveLimit {
  readonly scope: ScopeKind;
  /** The id of the org, project or key, or the user id of a member. */
  readonly scopeId: string;
  readonly meter: Meter;
  /** The largest count that passes. In nano-USD for the meter `cost`. */
  readonly max: number;
  /** The max in US dollars, for the meter `cost`. */
  readonly usd?: number;
  /**
   * `minute` and `day` are sliding windows; `daily`, `weekly` and `monthly` are periods of the org's calendar; `lifetime`
   * is that of a budget that never resets, `credits` that of the org's credit.
   */
  readonly window: Window["name"];
  /** The pattern of the models it applies to. Absent: all models. */
  readonly perModel?: string;
  readonly mode: "enforce" | "shadow";
  /**
   * The outer scope with an equal or lower limit of the same kind, because of which this one is never reached first.
   */
  readonly within?: ScopeKind;
}

/** What may be called, and which scopes restrict it. */
export interface EffectiveList {
  /** Patterns, at most 1,000. `null` if everything is allowed. */
  readonly allowed: readonly string[] | null;
  /** The scopes whose lists restrict it. */
  readonly because: readonly ("project" | "key")[];
}

/** What a key may really do, and why. */
export interface EffectiveKey {
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  /** The holder. */
  readonly userId: string;
  /** Whether a call could pass now, as far as the key is concerned. */
  readonly usable: boolean;
  /** Why not. Absent if it is usable. */
  readonly reason?: KeyRefusalReason;
  /** The reason in words. */
  readonly message?: string;
  /** In the order org, project, member, key. */
  readonly limits: readonly EffectiveLimit[];
  readonly models: EffectiveList;
  /**
   * What each virtual model of the org means for this key, in the order of fallback. One without permitted models is
   * left out.
   */
  readonly virtualModels: Readonly<Record<string, readonly string[]>>;
  readonly mcpServers: EffectiveList;
  /** Epoch milliseconds. Absent if it does not end. */
  readonly expiresAt?: number;
  /** Whether it ends with the key or with the holder's membership. */
  readonly expiresBecause?: "key" | "member";
  /** Whether contents may be logged. */
  readonly contentLogging: boolean;
  /** The scopes that switched it off. */
  readonly contentLoggingOffBecause: readonly ("org" | "project" | "key")[];
}

/**
 * Reports what a key may really do, from its chain as it is stored now.
 *
 * @param seen the key that the actor may see. Meanwhile, somebody else may have made another one under its id.
 */
export async function effectiveKey(engine: Engine, seen: Records["key"], now: number): Promise<EffectiveKey> {
  const chain = await engine.directory.key({ keyId: seen.id });
  if (chain === undefined || !isOf(chain, seen)) throw new NotFoundError("key", seen.id);
  const { org, project, holder, key } = chain;
  const compiled = new CompiledChain(chain, engine.shapes, engine.limitCache);
  const reason = keyRefusal(chain, now);
  const aliases = Object.keys(org.virtualModels ?? {});
  const targets = aliases.map((alias) => [alias, compiled.forModel(alias).models ?? [alias]] as const);
  const ends = [
    { expiresAt: key.expiresAt, because: "key" as const },
    { expiresAt: holder.expiresAt, because: "member" as const },
  ].flatMap(({ expiresAt, because }) => (expiresAt === undefined ? [] : [{ expiresAt, because }]));
  const end = ends.sort((a, b) => a.expiresAt - b.expiresAt)[0];
  const scopes = { org, project, key };
  const off = (["org", "project", "key"] as const).filter((scope) => scopes[scope].contentLogging === false);
  return {
    keyId: key.id,
    orgId: org.id,
    projectId: project.id,
    userId: holder.userId,
    usable: reason === undefined,
    ...(reason !== undefined && { reason, message: MESSAGES[reason] }),
    limits: compiled.limits.map((limit) => effectiveLimit(limit, compiled.limits)),
    models: effectiveList({ project: project.models, key: key.models }),
    virtualModels: Object.fromEntries(targets.filter(([, models]) => models.length > 0)),
    mcpServers: effectiveList({ project: project.mcpServers, key: key.mcpServers }),
    ...(end && { expiresAt: end.expiresAt, expiresBecause: end.because }),
    contentLogging: compiled.contentLogging,
    contentLoggingOffBecause: off,
  };
}

function isOf({ org, project, holder }: KeyChain, { orgId, projectId, userId }: Records["key"]): boolean {
  return org.id === orgId && project.id === projectId && holder.userId === userId;
}

function effectiveLimit(limit: Limit, all: readonly Limit[]): EffectiveLimit {
  const { scope, scopeId, meter, max, window, perModel, mode } = limit;
  // What a scope counts, the scopes around it count too, so a lower max further out is reached first. That does not
  // hold if the outer limit ignores calls on the customer's own provider keys and this one counts them.
  const lower = all
    .slice(0, all.indexOf(limit))
    .filter((other) => other.mode === "enforce" && other.field === limit.field && other.max <= max)
    .filter((other) => other.countByok || !limit.countByok)
    .sort((a, b) => a.max - b.max)[0];
  return {
    scope,
    scopeId,
    meter,
    max,
    ...(meter === "cost" && { usd: usdOf(max) }),
    window: window.name,
    ...(perModel !== undefined && { perModel }),
    mode,
    ...(lower && { within: lower.scope }),
  };
}

function effectiveList(lists: Readonly<Record<"project" | "key", AllowList>>): EffectiveList {
  return {
    allowed: intersectLists([lists.project, lists.key]),
    because: (["project", "key"] as const).filter((scope) => lists[scope] != null),
  };
}
