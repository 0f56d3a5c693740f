import type { Migration } from "../../postgres/migration.js";
import { commitSql } from "./commit-sql.js";
import { tablesSql } from "./tables.js";

/**
 * INVARIANT: what has been released stays as it is; a change is a new version. Processes of the version before may run on
 * the tables of the next, so a function that they call keeps its parameters, and a changed one gets another name.
 */
export function storageMigrations(schema: string): Migration[] {
  return [{ version: 1, sql: tablesSql(`"${schema}"`) + commitSql(schema) }];
}
