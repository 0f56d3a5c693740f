import { createHash } from "node:crypto";
import { storable } from "../../postgres/text.js";
import type { Layout } from "../wire/layout.js";
import { kindOf, maxOf } from "../wire/plan-text.js";

/** An index takes keys of up to 2,704 bytes; two names and what surrounds them stay below that. */
const NAME_MAX = 300;

/** A name as the tables have it: what is long is told apart by its SHA-256. */
export function nameOf(text: string): string {
  const name = storable(text);
  if (name.length <= NAME_MAX) return name;
  const hash = createHash("sha256").update(name).digest("hex");
  return `${storable(text.slice(0, NAME_MAX - 100).toWellFormed())}… sha256 ${hash}`;
}

/** A row of table counts. */
export interface RowName {
  /** No two rows have the same. */
  readonly name: string;
  /** What it is locked by; that two rows may share it does no harm. */
  readonly lock: string;
  readonly scope: string;
  readonly models: string;
}

/** A layout with what the functions of the database are told of it, see `callSql`. */
export interface PostgresLayout extends Layout {
  readonly rows: readonly RowName[];
  /** sizes, fields and shape: arrays as text, the same for all calls of such limits. */
  readonly told: readonly [sizes: string, fields: string, shape: string];
  /** The same as JSON. */
  readonly toldJson: string;
}

export function postgresLayout(layout: Layout): PostgresLayout {
  const rows = layout.scopes.flatMap(({ limits, rows }) => {
    const scope = nameOf(limits[0]?.scopeKey ?? "");
    return rows.map(({ field, counts }) => ({
      name: JSON.stringify([scope, field]),
      lock: `${scope} ${field}`,
      scope,
      models: field,
      counts,
    }));
  });
  const counts = rows.flatMap((row) => row.counts);
  const shape = counts.flatMap(({ limit, amount, period }) => [
    kindOf(limit.window),
    maxOf(limit),
    amount,
    period,
  ]);
  const told: PostgresLayout["told"] = [
    numberArray(rows.map((row) => row.counts.length)),
    textArray(counts.map(({ limit }) => nameOf(limit.field))),
    numberArray(shape),
  ];
  return { ...layout, rows, told, toldJson: JSON.stringify(told) };
}

/** scopes and models of rows: arrays as text. */
export function rowsTold(rows: readonly RowName[]): [scopes: string, models: string] {
  return [textArray(rows.map(({ scope }) => scope)), textArray(rows.map(({ models }) => models))];
}

/** An array as Postgres reads it. */
export function textArray(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

export function numberArray(numbers: readonly number[]): string {
  return `{${numbers.join(",")}}`;
}
