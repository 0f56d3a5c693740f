import { ConflictError, ValidationError } from "../../model/errors.js";
import { recordKinds } from "../../model/record-schemas.js";
import type { RecordKind } from "../../model/records.js";
import { codeOf, constraintOf } from "../../postgres/pool.js";
import { takenValue } from "../checks.js";
import { referenceName, tableOf, uniqueName } from "./tables.js";

const UNIQUE_VIOLATION = "23505";
const REFERENCE_VIOLATION = "23503";
const INDEX_ROW_TOO_LARGE = "54000";

/** What an error of the database means for a commit. An error without such a meaning is returned as it is. */
export function conflictOf(error: unknown): unknown {
  const constraint = constraintOf(error);
  switch (codeOf(error)) {
    case UNIQUE_VIOLATION: {
      const found = constraint !== undefined && UNIQUE.get(constraint);
      return found ? takenValue(found.kind, found.fields) : error;
    }
    case REFERENCE_VIOLATION: {
      const found = constraint !== undefined && REFERENCES.get(constraint);
      if (!found) return error;
      return new ConflictError(
        `the ${found.to} of a ${found.kind} does not exist, or one that exists would lose it`,
      );
    }
    case INDEX_ROW_TOO_LARGE:
      return new ValidationError([
        { field: "id", expected: "ids that Postgres can index: up to 2,700 bytes of UTF-8" },
      ]);
    default:
      return error;
  }
}

const UNIQUE: ReadonlyMap<string, { kind: RecordKind; fields: readonly string[] }> = new Map(
  recordKinds.flatMap((kind) =>
    tableOf(kind).unique.map((fields) => [uniqueName(kind, fields), { kind, fields }] as const),
  ),
);

const REFERENCES: ReadonlyMap<string, { kind: RecordKind; to: RecordKind }> = new Map(
  recordKinds.flatMap((kind) =>
    tableOf(kind).references.map(
      ({ field, kind: to }) => [referenceName(kind, field), { kind, to }] as const,
    ),
  ),
);
