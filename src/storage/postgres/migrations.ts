import type { Migration } from "../../postgres/migration.js";
import { commitSql } from "./commit-sql.js";
import { tablesSql } from "./tables.js";

/**
 * INVARIANT: a released migration stays as it is. A change is a new version. Version 1 is made of `INDEXES`, so a field
 * that is added there after a release has to be left out of it, and added by the new version.
 *
 * Processes of the previous version may run on the tables of the next, so a function that they call keeps its
 * parameters, and a changed one gets another name.
 */
export function storageMigrations(schema: string): Migration[] {
  return [{ version: 1, sql: tablesSql(`"${schema}"`) + commitSql(schema) }];
}
