import { budgetsOf, RATE_NAMES } from "../../admission/limit.js";
import { LimitError } from "../../model/errors.js";
import type { BudgetReset, Limits, ModelLimits } from "../../model/limits.js";
import { nanoUsd, usdText } from "../../model/money.js";
import { type AllowList, contains, firstOutside } from "./allow-lists.js";

/** What somebody is about to grant to a key, a member or a project. An absent field is not granted. */
export interface Grant {
  readonly limits?: Limits | undefined;
  readonly models?: AllowList;
  readonly mcpServers?: AllowList;
  /** When it ends, in epoch milliseconds. */
  readonly expiresAt?: number | undefined;
  readonly contentLogging?: boolean | undefined;
}

/** What a grant must not exceed. */
export interface Bound extends Grant {
  /** Whose bound it is, for people: `the project`. */
  readonly of: string;
  /** Whether the actor may have it changed. If so, it cannot be relied on to keep a grant within what the actor has. */
  readonly isMovable?: boolean;
}

export interface Ceiling {
  /** Bounds of whatever encloses the grant: the org, the project, the holder's membership. */
  readonly enclosing: readonly Bound[];
  /** Bounds that the actor is under, which also apply to what they grant. */
  readonly own?: readonly Bound[];
  /** The targets of each alias, for lists of models. */
  readonly virtualModels?: VirtualModels;
}

export type GrantField = keyof Grant;

/** How a write changes what a record grants. */
export interface GrantChange {
  /** The fields that it grants. */
  readonly fields: readonly GrantField[];
  /**
   * What the record grants before the write. A field that becomes no wider grants nothing new, so the actor's own
   * bounds do not matter for it.
   */
  readonly present: Grant;
}

/**
 * The one rule for every write that grants something: nobody grants more than what encloses the grant allows, or than
 * they have themselves.
 *
 * - What a grant says must not exceed what encloses it. A field that it leaves out is inherited and cannot exceed
 *   anything.
 * - If the actor is under a bound, what they grant must be under it too: by the grant's own fields, or by what encloses
 *   it unless the actor could have that changed in a next step.
 *
 * @param grant everything that is granted once the write is done
 * @param change what of that changes; without it, everything is granted anew
 * @throws LimitError naming the field that is too much
 */
export function checkCeiling(grant: Grant, ceiling: Ceiling, change?: GrantChange): void {
  const { enclosing, own = [], virtualModels = {} } = ceiling;
  const { fields = GRANT_FIELDS, present } = change ?? {};
  const inForce = [grant, ...enclosing.filter(({ isMovable }) => !isMovable)];
  for (const field of fields) {
    const { within, cover } = CHECKS[field];
    for (const bound of enclosing) within(grant, bound, virtualModels);
    const isNoWider = present && keeps(() => cover([grant], { ...present, of: "it" }, virtualModels));
    if (!isNoWider) for (const bound of own) cover(inForce, bound, virtualModels);
  }
}

/** Whether a check passes. */
function keeps(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof LimitError) return false;
    throw error;
  }
}

type VirtualModels = Readonly<Record<string, readonly string[]>>;

interface Check {
  /** Throws if a field of the grant exceeds the bound. */
  within(grant: Grant, bound: Bound, virtualModels: VirtualModels): void;
  /** Throws if nothing in force keeps within the bound. */
  cover(inForce: readonly Grant[], bound: Bound, virtualModels: VirtualModels): void;
}

const CHECKS: Readonly<Record<GrantField, Check>> = {
  limits: {
    within: ({ limits }, bound) => checkLimitsWithin(limits, bound),
    cover: checkLimitsCover,
  },
  models: listCheck("models"),
  mcpServers: listCheck("mcpServers"),
  expiresAt: {
    within({ expiresAt = 0 }, bound) {
      if (expiresAt > endOf(bound)) throw endsLater(bound);
    },
    cover(inForce, bound) {
      if (inForce.every((part) => endOf(part) > endOf(bound))) throw endsLater(bound);
    },
  },
  contentLogging: {
    within({ contentLogging }, bound) {
      if (contentLogging && bound.contentLogging === false) throw logsMore(bound);
    },
    cover(inForce, bound) {
      if (bound.contentLogging === false && inForce.every((part) => part.contentLogging !== false))
        throw logsMore(bound);
    },
  },
};

/** What can be granted. */
export const GRANT_FIELDS = Object.keys(CHECKS) as readonly GrantField[]; // sound: CHECKS has the keys of Grant and no others

function listCheck(field: "models" | "mcpServers"): Check {
  const aliasesOf = (virtualModels: VirtualModels) => (field === "models" ? virtualModels : {});
  const within: Check["within"] = (grant, bound, virtualModels) => {
    const outside = firstOutside(grant[field] ?? [], bound[field], aliasesOf(virtualModels));
    if (outside !== undefined) {
      throw new LimitError(field, `${JSON.stringify(outside)} is not among those of ${bound.of}`);
    }
  };
  return {
    within,
    cover(inForce, bound, virtualModels) {
      if (bound[field] == null) return;
      const keepsTo = ({ [field]: list }: Grant) =>
        list != null && firstOutside(list, bound[field], aliasesOf(virtualModels)) === undefined;
      if (!inForce.some(keepsTo)) throw new LimitError(field, `at most those of ${bound.of}`);
    },
  };
}

function endOf({ expiresAt = Number.POSITIVE_INFINITY }: Grant): number {
  return expiresAt;
}

/** One number of a scope's limits. */
interface Entry {
  readonly path: string;
  /** The name of the limit, or `budget`. Only numbers of the same kind can be compared. */
  readonly kind: string;
  /** The length of a budget's period, as a rank. 0 for other limits. */
  readonly length: number;
  readonly max: number;
  readonly perModel: string | undefined;
  /** Whether it counts calls on the customer's own provider key too. */
  readonly countByok: boolean;
  /** Whether it is enforced. A limit in shadow mode binds nobody. */
  readonly binds: boolean;
}

const LENGTHS: Readonly<Record<BudgetReset, number>> = { daily: 1, weekly: 2, monthly: 3, never: 4 };

function entriesOf(limits: Limits | undefined): Entry[] {
  if (limits === undefined) return [];
  const { perModel = {}, mode } = limits;
  return [
    ...modelEntries(limits, "limits", mode, undefined),
    ...Object.entries(perModel).flatMap(([pattern, of]) =>
      modelEntries(of, `limits.perModel.${pattern}`, of.mode ?? mode, pattern),
    ),
  ];
}

function modelEntries(
  limits: ModelLimits,
  path: string,
  mode: ModelLimits["mode"],
  perModel: string | undefined,
): Entry[] {
  const base = { perModel, binds: mode !== "shadow" };
  const rates = RATE_NAMES.flatMap((kind) => {
    const max = limits[kind];
    return max === undefined
      ? []
      : [{ ...base, path: `${path}.${kind}`, kind, length: 0, max, countByok: true }];
  });
  const budgets = budgetsOf(limits.budget).map(({ usd, reset, countByok = false }, i) => ({
    ...base,
    path: Array.isArray(limits.budget) ? `${path}.budget[${i}].usd` : `${path}.budget.usd`,
    kind: "budget",
    length: LENGTHS[reset],
    max: nanoUsd(usd),
    countByok,
  }));
  return [...rates, ...budgets];
}

function checkLimitsWithin(limits: Limits | undefined, bound: Bound): void {
  const bounds = entriesOf(bound.limits).filter(({ binds }) => binds);
  for (const entry of entriesOf(limits)) {
    // A limit for all models does not exceed one for a few models, which still applies to those.
    const exceeded = bounds.find(
      ({ kind, length, max, perModel }) =>
        kind === entry.kind && entry.length <= length && isPart(entry.perModel, perModel) && entry.max > max,
    );
    if (exceeded)
      throw new LimitError(entry.path, `at most ${shown(exceeded)}, which is what ${bound.of} has`);
  }
}

function checkLimitsCover(inForce: readonly Grant[], bound: Bound): void {
  const entries = inForce.flatMap(({ limits }) => entriesOf(limits)).filter(({ binds }) => binds);
  for (const held of entriesOf(bound.limits)) {
    // A sum over a longer period, or over more models, is at least the sum over any part of them.
    const covered = entries.some(
      ({ kind, length, max, perModel, countByok }) =>
        kind === held.kind &&
        liesIn(held.length, length) &&
        isPart(held.perModel, perModel) &&
        max <= held.max &&
        (countByok || !held.countByok),
    );
    if (held.binds && !covered)
      throw new LimitError(held.path, `at most ${shown(held)}, which is what ${bound.of} has`);
  }
}

/** Whether each period of one length lies within one of another. A week may lie in two months. */
function liesIn(part: number, whole: number): boolean {
  return part <= whole && !(part === LENGTHS.weekly && whole === LENGTHS.monthly);
}

/** Whether the models of one limit are all among those of another. */
function isPart(part: string | undefined, whole: string | undefined): boolean {
  return whole === undefined || (part !== undefined && contains(whole, part));
}

function shown({ kind, max }: Entry): string {
  return kind === "budget" ? `${usdText(max)} USD` : String(max);
}

function endsLater({ of, expiresAt = 0 }: Bound): LimitError {
  return new LimitError("expiresAt", `at most ${new Date(expiresAt).toISOString()}, when ${of} ends`);
}

function logsMore({ of }: Bound): LimitError {
  return new LimitError("contentLogging", `off, because it is off for ${of}`);
}
