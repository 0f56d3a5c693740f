import { hash } from "node:crypto";
import { storable } from "../../postgres/text.js";
import type { Layout } from "../wire/layout.js";
import { kindOf, maxOf } from "../wire/plan-text.js";

/** An index takes keys of up to 2,704 bytes. Two names of this length, with what surrounds them, are shorter. */
const NAME_MAX = 300;

/** A name as the tables hold it. Long names are cut, and told apart by their SHA-256. */
export function nameOf(text: string): string {
  const name = storable(text);
  if (name.length <= NAME_MAX) return name;
  return `${storable(text.slice(0, NAME_MAX - 100).toWellFormed())}… sha256 ${hash("sha256", name)}`;
}

/** A row of table `counts`. Everything but its name is an element of arrays; see {@link element}. */
export interface RowName {
  /** No two rows have the same. */
  readonly name: string;
  /** The name of its lock. Two rows may share a lock, which does no harm. */
  readonly lock: string;
  readonly scope: string;
  readonly models: string;
}

/** A layout with what the functions of the database are told of it; see `callSql`. */
interface PostgresLayout extends Layout {
  readonly rows: readonly RowName[];
  /** Sizes, fields and shape: arrays as text, the same for all calls of such limits. */
  readonly told: readonly [sizes: string, fields: string, shape: string];
  /** The same, and the tags, as JSON, for calls that go in groups. */
  readonly json: { readonly told: string; readonly tags: string };
}

export function postgresLayout(layout: Layout): PostgresLayout {
  const rows = layout.scopes.flatMap(({ limit, rows }) => {
    const scope = nameOf(limit.scopeKey);
    return rows.map(({ field, counts }) => ({
      name: JSON.stringify([scope, field]),
      lock: element(`${scope} ${field}`),
      scope: element(scope),
      models: element(field),
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
    arrayOf(rows.map((row) => row.counts.length)),
    arrayOf(counts.map(({ limit }) => element(nameOf(limit.field)))),
    arrayOf(shape),
  ];
  const json = {
    told: JSON.stringify(told),
    tags: JSON.stringify(layout.tags),
  };
  return { ...layout, rows, told, json };
}

/** The scopes and models of rows: arrays as text. */
export function rowsTold(rows: readonly RowName[]): [scopes: string, models: string] {
  return [arrayOf(rows.map(({ scope }) => scope)), arrayOf(rows.map(({ models }) => models))];
}

/** A text as an element of an array. */
export function element(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** An array as Postgres reads it, of numbers or of texts made by {@link element}. */
export function arrayOf(elements: readonly (number | string)[]): string {
  return `{${elements.join(",")}}`;
}
