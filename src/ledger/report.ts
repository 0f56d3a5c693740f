import { type ReportGroup, type ReportQuery, reportQuerySchema } from "../model/inputs/report.js";
import { decimalUsd } from "../model/money.js";
import { parse } from "../model/validation.js";
import { inTurns } from "./in-turns.js";
import { type LocalPartOf, localDaysOf, localHoursOf } from "./local-time.js";
import type { ReadableSink, ReportScope, SumField, SumQuery, Sums } from "./sink.js";
import { add, nothing, type Totals } from "./totals.js";
import type { Tokens } from "./usage-event.js";

/** What calls add up to. Calls under way are not included. */
export interface Spend extends Tokens {
  /** All calls except released ones. */
  readonly calls: number;
  /** Calls released because they were never sent. They cost nothing. */
  readonly released: number;
  /** Calls settled with what was seen until the client hung up. */
  readonly disconnected: number;
  /** Calls that were never settled. They cost their estimate. */
  readonly expired: number;
  /** What the org has to pay, in nano-USD. Exact up to 9,007,199 USD. */
  readonly costNanoUsd: number;
  /** The same in US dollars, always exact: `12.000000001`. */
  readonly usd: string;
  /** What calls on the customer's own provider keys cost, in nano-USD. It is part of no other sum. */
  readonly byokNanoUsd: number;
}

/** One row of a report. */
export interface ReportRow extends Spend {
  /**
   * What the row is about: a model or MCP server, the id of a key, user or project, a tag `name=value` (empty for calls
   * without tags), a day `2026-03-29`, or an hour `2026-03-29T03:00+02:00`.
   */
  readonly group: string;
  /** With `splitBy`, which part of the group it is about, named in the same way. */
  readonly split?: string;
  /** For a row of a day or an hour, its first moment in epoch milliseconds. */
  readonly startsAt?: number;
}

/** What was spent, as plain data: the query, a row for each group, and the total. */
export interface Report {
  readonly org: string;
  readonly project?: string;
  readonly user?: string;
  readonly key?: string;
  readonly from: number;
  readonly to: number;
  readonly groupBy: ReportGroup;
  readonly splitBy?: ReportGroup;
  readonly timeZone: string;
  /**
   * Days and hours in order, without those that have no calls. All other rows by cost, the highest first. With
   * `splitBy`, the groups are in this order, and so are the rows of each.
   */
  readonly rows: readonly ReportRow[];
  /** The sum over all calls. By tag it is not the sum of the rows, as a call has a row for each of its tags. */
  readonly total: Spend;
}

const FIELDS: Readonly<Record<ReportGroup, SumField>> = {
  model: "model",
  key: "keyId",
  user: "userId",
  project: "projectId",
  tag: "tag",
  day: "quarter",
  hour: "quarter",
};

const LOCAL_PARTS: Partial<Record<ReportGroup, (timeZone: string) => LocalPartOf>> = {
  day: localDaysOf,
  hour: localHoursOf,
};

/** See {@link Ledger.report}. */
export async function reportOver(
  sink: ReadableSink,
  input: ReportQuery,
  now: number,
  within: readonly ReportScope[] = [{}],
): Promise<Report> {
  const query = parse(reportQuerySchema, input, "report");
  const { org, project, user, key, from, to, groupBy, splitBy, timeZone = "UTC" } = query;
  const asked = { orgId: org, projectId: project, userId: user, keyId: key, from, to, now };
  const sumsBy = async (by: readonly SumField[]) => {
    if (within.length > 1 && sink.sumWithin) return sink.sumWithin({ ...asked, by }, within);
    let sums: Sums[] = [];
    for (const scope of within) {
      const inScope = narrowed(asked, scope);
      if (inScope !== undefined) sums = sums.concat(await sink.sum({ ...inScope, by }));
    }
    return sums;
  };
  const groups = splitBy === undefined ? [groupBy] : [groupBy, splitBy];
  const grouped = await sumsBy(groups.map((group) => FIELDS[group]));
  return {
    org,
    ...(project !== undefined && { project }),
    ...(user !== undefined && { user }),
    ...(key !== undefined && { key }),
    from,
    to,
    groupBy,
    ...(splitBy !== undefined && { splitBy }),
    timeZone,
    rows: await rowsOf(grouped, groups, timeZone),
    total: await totalOf(groups.includes("tag") ? await sumsBy([]) : grouped),
  };
}

/** The part of a query that lies in a scope, or `undefined` if nothing can. */
function narrowed(
  query: Omit<SumQuery, "by">,
  { projectId = query.projectId, userId = query.userId }: ReportScope,
): Omit<SumQuery, "by"> | undefined {
  if (query.projectId !== undefined && projectId !== query.projectId) return undefined;
  if (query.userId !== undefined && userId !== query.userId) return undefined;
  return { ...query, projectId, userId };
}

async function rowsOf(
  sums: readonly Sums[],
  by: readonly ReportGroup[],
  timeZone: string,
): Promise<ReportRow[]> {
  const timeAt = by.findIndex((group) => LOCAL_PARTS[group]); // -1 if there is none
  const time = by[timeAt];
  const localPart = time && LOCAL_PARTS[time]?.(timeZone);
  const quarterOf = ({ group }: Sums) => Number(group[timeAt]);
  const known = new Map<string, { readonly names: readonly string[]; startsAt?: number; totals: Totals }>();
  const inOrder = localPart === undefined ? sums : [...sums].sort((a, b) => quarterOf(a) - quarterOf(b));
  await inTurns(inOrder, (one) => {
    const part = localPart?.(quarterOf(one));
    const { group, ...totals } = one; // a copy, to which others may be added
    const names = part === undefined ? group : group.with(timeAt, part.name);
    const id = JSON.stringify(names);
    const row = known.get(id);
    if (row) add(row.totals, one);
    else known.set(id, { names, ...(part && { startsAt: part.startsAt }), totals });
  });
  const rows: ReportRow[] = [];
  await inTurns(known.values(), ({ names: [group = "", split], startsAt, totals }) => {
    rows.push({
      group,
      ...(split !== undefined && { split }),
      ...(startsAt !== undefined && { startsAt }),
      ...spendOf(totals),
    });
  });
  return sorted(rows, timeAt);
}

/** Puts the groups in order, and the rows of each: by time where that is what it names, else by cost. */
function sorted(rows: readonly ReportRow[], timeAt: number): ReportRow[] {
  const costOf = new Map<string, number>();
  for (const { group, costNanoUsd } of rows) costOf.set(group, (costOf.get(group) ?? 0) + costNanoUsd);
  // Looked up once for each row, not in each comparison: meanwhile the calls of the process wait.
  const placed = rows.map((row) => ({ row, groupCost: costOf.get(row.group) ?? 0 }));
  type Order = (a: (typeof placed)[number], b: (typeof placed)[number]) => number;
  const byTime: Order = (a, b) => (a.row.startsAt ?? 0) - (b.row.startsAt ?? 0);
  const byGroup: Order = (a, b) => b.groupCost - a.groupCost || compareTexts(a.row.group, b.row.group);
  const bySplit: Order = (a, b) =>
    b.row.costNanoUsd - a.row.costNanoUsd || compareTexts(a.row.split ?? "", b.row.split ?? "");
  const groups = timeAt === 0 ? byTime : byGroup;
  const splits = timeAt === 1 ? byTime : bySplit;
  return placed.sort((a, b) => groups(a, b) || splits(a, b)).map(({ row }) => row);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function totalOf(sums: readonly Sums[]): Promise<Spend> {
  const totals = nothing();
  await inTurns(sums, (one) => add(totals, one));
  return spendOf(totals);
}

function spendOf(totals: Totals): Spend {
  const { costNanoUsd, byokNanoUsd } = totals;
  return {
    ...totals,
    costNanoUsd: Number(costNanoUsd),
    usd: decimalUsd(costNanoUsd),
    byokNanoUsd: Number(byokNanoUsd),
  };
}
