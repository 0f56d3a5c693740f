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

/** A layout with what the functions of the database are told of it: arrays as text, see `callSql`. */
export interface PostgresLayout extends Layout {
  /** scopes, models, sizes, fields and shape. */
  readonly told: readonly string[];
  /** The names of the rows in the order in which all processes lock them, the one of the widest scope, and the place of each. */
  readonly locks: readonly string[];
  readonly widestLock: string | undefined;
  readonly lockOrder: string;
}

export function postgresLayout(layout: Layout): PostgresLayout {
  const rows = layout.scopes.flatMap(({ limits, rows }) => {
    return rows.map(({ field, counts }) => ({
      scope: nameOf(limits[0]?.scopeKey ?? ""),
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
  const names = rows.map(({ scope, models }) => `${scope} ${models}`);
  const locks = names.map((name, i) => ({ name, place: i + 1 })).sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...layout,
    told: [
      textArray(rows.map(({ scope }) => scope)),
      textArray(rows.map(({ models }) => models)),
      numberArray(rows.map((row) => row.counts.length)),
      textArray(counts.map(({ limit }) => nameOf(limit.field))),
      numberArray(shape),
    ],
    locks: locks.map(({ name }) => name),
    widestLock: names[0],
    lockOrder: numberArray(locks.map(({ place }) => place)),
  };
}

/** An array as Postgres reads it. */
export function textArray(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

export function numberArray(numbers: readonly number[]): string {
  return `{${numbers.join(",")}}`;
}
