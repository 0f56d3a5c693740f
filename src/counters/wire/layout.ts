import { hash } from "node:crypto";
import type { Charge } from "../../admission/charge.js";
import { haveOwnCounts, type Limit } from "../../admission/limit.js";
import { kindOf, maxOf, type NameOf, type PlannedRow, type PlannedScope, planText } from "./plan-text.js";

/**
 * The form of a row of counts in Redis, and of the numbers of a call. It is part of every tag.
 *
 * INVARIANT: one more with each change of either. During a deploy, processes of two versions count in the same rows. With
 * the same tag, one of them would take what the other wrote for what it writes itself, and count wrong without a word.
 */
export const FORM = 1;

/** The numbers before the amounts: three, whose meaning depends on the kind of call. */
const HEADER = 3;

/** What does not change from call to call of the same limits. */
export interface Layout {
  readonly orgId: string;
  readonly limits: readonly Limit[];
  readonly scopes: readonly PlannedScope[];
  /** See `planText`. */
  readonly plan: string;
  /**
   * The tags of all rows, and a letter if the layout is wide. Calls with the same tags have the same meaning for the
   * same numbers.
   */
  readonly tags: string;
  /** For each limit, the index of its amount. */
  readonly amounts: readonly number[];
  readonly amountCount: number;
  /** For each limit, the index of its period, or -1. */
  readonly periods: readonly number[];
  readonly periodCount: number;
  /** The position of each limit in the request, in the order in which they are sent. Absent if that is the same. */
  readonly places: readonly number[] | undefined;
  /** Whether each charge has an amount and a period of its own, whatever it counts. */
  readonly isWide: boolean;
  /** Whether each limit has a count of its own. */
  readonly isUnique: boolean;
}

/** @param isWide see {@link Layout.isWide} */
export function layoutOf(nameOf: NameOf, orgId: string, charges: readonly Charge[], isWide: boolean): Layout {
  const limits = charges.map(({ limit }) => limit);
  const limitAt = (place: number) => limits[place] as Limit; // sound: only asked for places of limits
  const grouped = [...groupBy(limits.keys(), (i) => limitAt(i).scopeKey)].map(([scopeKey, ofScope]) => ({
    scopeKey,
    ofScope,
    rows: [...groupBy(ofScope, (i) => rowFieldOf(limitAt(i), nameOf))],
  }));
  const order = grouped.flatMap(({ rows }) => rows.flatMap(([, ofRow]) => ofRow));
  // In the order in which they are sent, so that calls with the same tags have their amounts at the same places.
  const sentAt = limits.map((_, i) => order.indexOf(i));
  const amounts = isWide ? sentAt : indexed(limits.map(quantityOf), order);
  const ownPeriods = limits.map(({ window }, i) => (window.kind === "calendar" ? (sentAt[i] ?? -1) : -1));
  const periods = isWide ? ownPeriods : indexed(limits.map(periodNameOf), order);
  const amountCount = Math.max(0, ...amounts.map((at) => at + 1));
  const periodCount = Math.max(0, ...periods.map((at) => at + 1));
  const scopes = grouped.map(({ scopeKey, ofScope, rows }): PlannedScope => {
    const planned = rows.map(([field, ofRow]): PlannedRow => {
      const counts = ofRow.map((i) => ({
        limit: limitAt(i),
        amount: HEADER + 1 + (amounts[i] as number), // sound, as below: there is one for each limit
        period: (periods[i] as number) < 0 ? 0 : HEADER + 1 + amountCount + 3 * (periods[i] as number),
      }));
      const tag = tagOf(
        scopeKey,
        field,
        counts.map(({ limit }) => limit),
      );
      return { field, tag, counts };
    });
    return { limit: limitAt(ofScope[0] as number), rows: planned }; // sound: no group is empty
  });
  const places = order.every((place, i) => place === i) ? undefined : order;
  return {
    orgId,
    limits,
    scopes,
    plan: planText(scopes, places, nameOf),
    tags: scopes.flatMap(({ rows }) => rows.map(({ tag }) => tag)).join("") + (isWide ? "w" : ""),
    amounts,
    amountCount,
    periods,
    periodCount,
    places,
    isWide,
    isUnique: haveOwnCounts(limits),
  };
}

/** The row that holds a count. */
function rowFieldOf({ perModel }: Limit, nameOf: NameOf): string {
  return perModel === undefined ? "=" : `=${nameOf(perModel)}`;
}

function tagOf(scopeKey: string, field: string, limits: readonly Limit[]): string {
  const counts = limits.map((limit) => [limit.field, kindOf(limit.window), maxOf(limit), quantityOf(limit)]);
  const said = [FORM, scopeKey, field, ...counts];
  return hash("sha256", JSON.stringify(said), "base64url").slice(0, 8);
}

/** What a limit counts of a call. Limits with the same quantity charge the same amount. */
function quantityOf({ meter, countByok }: Limit): string {
  return countByok ? `${meter} byok` : meter;
}

function periodNameOf({ window }: Limit): string | undefined {
  return window.kind === "calendar" ? window.name : undefined;
}

/** For each name its index among the distinct names, taken in the given order. -1 if there is no name. */
function indexed(names: readonly (string | undefined)[], order: readonly number[]): number[] {
  const known = [...new Set(order.map((i) => names[i]).filter((name) => name !== undefined))];
  return names.map((name) => (name === undefined ? -1 : known.indexOf(name)));
}

function groupBy(places: Iterable<number>, keyOf: (place: number) => string): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const place of places) {
    const group = groups.get(keyOf(place));
    if (group) group.push(place);
    else groups.set(keyOf(place), [place]);
  }
  return groups;
}
