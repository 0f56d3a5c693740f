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
  return [
    { version: 1, sql: tablesSql(`"${schema}"`) + commitSql(schema) },
    { version: 2, sql: rareValuesSql(`"${schema}"`) },
  ];
}

/**
 * Finds what has a rare value of a field with few, such as the denied attempts of an org. Without it, all of the org
 * would be looked at, which has every invitation, revoked key and audit event that there ever was.
 */
function rareValuesSql(s: string): string {
  return `
CREATE INDEX ON ${s}.org_member (org_id, role, id);
CREATE INDEX ON ${s}.invitation (org_id, status, id);
CREATE INDEX ON ${s}.key (org_id, status, id);
CREATE INDEX ON ${s}.audit_event (org_id, action, id);
CREATE INDEX ON ${s}.audit_event (org_id, outcome, id);
CREATE INDEX ON ${s}.audit_event (org_id, subject_kind, id);
`;
}
