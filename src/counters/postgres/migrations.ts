import type { Migration } from "../../postgres/migration.js";
import { callSql } from "./call-sql.js";
import { countSql } from "./count-sql.js";
import { rowsSql } from "./rows-sql.js";
import { tablesSql } from "./tables-sql.js";

/**
 * INVARIANT: a released migration stays as it is. A change is a new version. Processes of the previous version may run
 * on the tables of the next, so a function that they call keeps its parameters, and a changed one gets another name.
 */
export function countersMigrations(schema: string): Migration[] {
  const s = `"${schema}"`;
  return [{ version: 1, sql: tablesSql(s) + countSql(s) + rowsSql(s) + callSql(s) }];
}
