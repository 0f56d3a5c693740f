import { NANO_PER_USD } from "../model/money.js";
import { COLUMN_NAMES, COLUMNS, loadedText, type Row, storedText } from "./columns.js";
import { inTurns } from "./in-turns.js";
import {
  type OpenQuery,
  QUARTER_MS,
  type ReportScope,
  type SumField,
  type SumQuery,
  type Sums,
} from "./sink.js";
import { TOKEN_KINDS, type Tokens } from "./usage-event.js";

/** How SQL databases differ. */
export interface Dialect {
  /** The table, quoted, with its schema if it has one. */
  readonly table: string;
  /** The placeholder of the nth value, from 1. */
  placeholder(n: number): string;
  /** Joins each row with its tags as `tag(name, value)`. Rows without tags stay. */
  readonly joinTags: string;
  /** `name=value` of the joined tag, or null if there is none. */
  readonly tagText: string;
  /** The rows of a JSON array of texts that a placeholder stands for. */
  textsIn(placeholder: string): string;
}

/** What a write does to a row of `table` that exists; see `replaces`. The rows of one statement have different ids. */
export function onConflict(table: string): string {
  const columns = COLUMN_NAMES.map((column) => `${column} = excluded.${column}`).join(", ");
  return `on conflict (admitted_at, id) do update set ${columns} where ${table}.outcome = 'open'
    and (excluded.outcome <> 'open' or ${sizeOf("excluded")} > ${sizeOf(table)})`;
}

function sizeOf(row: string): string {
  return `${row}.input_tokens + ${row}.output_tokens + ${row}.cost_nano_usd`;
}

/** A statement with its values. */
interface Statement {
  readonly text: string;
  readonly values: readonly (string | number)[];
}

/** @param within only what lies in one of these parts. Default: the whole query. */
export function sumStatement(
  query: SumQuery,
  dialect: Dialect,
  within: readonly ReportScope[] = [{}],
): Statement {
  const values: (string | number)[] = [];
  const bind = (value: string | number) => dialect.placeholder(values.push(value));
  const conditions = [
    `org_id = ${bind(storedText(query.orgId))}`,
    `admitted_at >= ${bind(query.from)}`,
    `admitted_at < ${bind(query.to)}`,
    query.underWay
      ? `outcome = 'open' and expires_at > ${bind(query.now)}`
      : `(outcome <> 'open' or expires_at <= ${bind(query.now)})`,
  ];
  for (const field of ["projectId", "userId", "keyId"] as const) {
    const wanted = query[field];
    if (wanted !== undefined) conditions.push(`${COLUMNS[field].name} = ${bind(storedText(wanted))}`);
  }
  if (!within.some(isWhole)) {
    conditions.push(
      withinText(within, (ids) => {
        // One value for all ids: see `openStatement`. No call has an id that is not well-formed.
        const texts = JSON.stringify(ids.filter((id) => id.isWellFormed()).map(storedText));
        return `in (${dialect.textsIn(bind(texts))})`;
      }),
    );
  }
  const groups = query.by.map((field) => groupText(field, dialect));
  const columns = [...groups.map((group, i) => `${group} as g${i}`), ...TOTALS];
  const text = [
    `select ${columns.join(", ")}`,
    `from ${dialect.table} ${query.by.includes("tag") ? dialect.joinTags : ""}`,
    `where ${conditions.join(" and ")}`,
    groups.length > 0 ? `group by ${groups.map((_, i) => i + 1).join(", ")}` : "",
  ].join(" ");
  return { text, values };
}

function isWhole({ projectId, userId }: ReportScope): boolean {
  return projectId === undefined && userId === undefined;
}

/** The condition that a call lies in one of the parts of an org. */
function withinText(within: readonly ReportScope[], isIn: (ids: readonly string[]) => string): string {
  /** The projects in which each user is meant; those of `undefined` are meant as a whole. */
  const projectsOf = new Map<string | undefined, string[]>();
  const users: string[] = [];
  for (const { projectId, userId } of within) {
    if (projectId === undefined) {
      users.push(userId ?? "");
      continue;
    }
    const projectIds = projectsOf.get(userId) ?? [];
    projectIds.push(projectId);
    projectsOf.set(userId, projectIds);
  }
  // INVARIANT: values are bound in the order of the text.
  const terms = [...projectsOf].map(([userId, projectIds]) => {
    const inProjects = `project_id ${isIn(projectIds)}`;
    return userId === undefined ? inProjects : `(${inProjects} and user_id ${isIn([userId])})`;
  });
  if (users.length > 0) terms.push(`user_id ${isIn(users)}`);
  return terms.length > 0 ? `(${terms.join(" or ")})` : "false";
}

function groupText(field: SumField, { tagText }: Dialect): string {
  switch (field) {
    case "tag":
      return `coalesce(${tagText}, '')`;
    case "quarter":
      return `cast(admitted_at / ${QUARTER_MS} * ${QUARTER_MS} as text)`;
    case "mcp":
    case "byok":
      return `case when ${field} then 'true' else 'false' end`;
    default:
      return COLUMNS[field].name;
  }
}

// As text: drivers return large integers as text, as inexact numbers, or not at all.
const TOTALS = [
  "cast(count(*) filter (where outcome <> 'released') as text) as calls",
  ...(["released", "disconnected"] as const).map(
    (outcome) => `cast(count(*) filter (where outcome = '${outcome}') as text) as ${outcome}`,
  ),
  "cast(count(*) filter (where outcome = 'open') as text) as expired",
  ...TOKEN_KINDS.map((kind) => COLUMNS[kind].name).map(
    (column) => `cast(coalesce(sum(${column}), 0) as text) as ${column}`,
  ),
  ...moneySum("cost", "not byok"),
  ...moneySum("byok", "byok"),
];

/** A sum of costs as two columns, whole dollars and the rest, since SQLite sums in 64 bits: nine billion US dollars. */
function moneySum(name: "cost" | "byok", condition: string): string[] {
  const sum = (part: string) => `cast(coalesce(sum(${part}) filter (where ${condition}), 0) as text)`;
  return [
    `${sum(`cost_nano_usd / ${NANO_PER_USD}`)} as ${name}_usd`,
    `${sum(`cost_nano_usd % ${NANO_PER_USD}`)} as ${name}_nano_usd`,
  ];
}

function moneyOf(row: Row, name: "cost" | "byok"): bigint {
  const [usd, nano] = [row[`${name}_usd`], row[`${name}_nano_usd`]];
  return BigInt(String(usd)) * BigInt(NANO_PER_USD) + BigInt(String(nano));
}

/** The sums in the rows of a {@link sumStatement}. */
export async function sumsIn(rows: readonly Row[], query: SumQuery): Promise<Sums[]> {
  const sums: Sums[] = [];
  await inTurns(rows, (row) => sums.push(sumsOf(row, query)));
  return sums;
}

function sumsOf(row: Row, query: SumQuery): Sums {
  const number = (column: string) => Number(row[column]);
  return {
    group: query.by.map((_, i) => loadedText(String(row[`g${i}`]))),
    calls: number("calls"),
    released: number("released"),
    disconnected: number("disconnected"),
    expired: number("expired"),
    ...tokensOf(row),
    costNanoUsd: moneyOf(row, "cost"),
    byokNanoUsd: moneyOf(row, "byok"),
  };
}

function tokensOf(row: Row): Tokens {
  const sums = TOKEN_KINDS.map((kind) => [kind, Number(row[COLUMNS[kind].name])]);
  return Object.fromEntries(sums) as Tokens; // sound: it has every kind
}

/** The open calls of an org, all columns, latest admission first. */
export function openStatement(
  { orgId, keyIds, from, limit }: OpenQuery,
  { table, placeholder, textsIn }: Dialect,
): Statement {
  const values: (string | number)[] = [];
  const bind = (value: string | number) => placeholder(values.push(value));
  const conditions = [
    `org_id = ${bind(storedText(orgId))}`,
    "outcome = 'open'",
    `admitted_at >= ${bind(from)}`,
  ];
  if (keyIds) {
    // All ids are one value, since a statement takes at most 65,535 values in PostgreSQL and 32,766 in SQLite.
    const texts = JSON.stringify(keyIds.map((id) => storedText(id.toWellFormed())));
    conditions.push(`key_id in (${textsIn(bind(texts))})`);
  }
  const text = `select ${COLUMN_NAMES.join(", ")} from ${table} where ${conditions.join(" and ")}
    order by admitted_at desc, id limit ${bind(limit)}`;
  return { text, values };
}
