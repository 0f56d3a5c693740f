import { ConflictError, type FieldProblem, isTollgateError, ValidationError } from "../model/errors.js";
import { recordFields, recordSchemas } from "../model/record-schemas.js";
import type { RecordKind } from "../model/records.js";
import { parse } from "../model/validation.js";
import { INDEXES } from "./indexes.js";
import type { Change } from "./storage.js";

/**
 * What every adapter checks of a commit before it writes: that each record fits its kind and its change, and that no
 * record is changed twice.
 *
 * A record that replaces another may have fields that are not known here: a process of a later version has written them,
 * and whoever changes something else of the record leaves them as they are.
 *
 * @throws ValidationError if that is not so
 */
export function checkChanges(changes: readonly Change[]): void {
  const seen = new Set<string>();
  for (const { kind, id, expectedVersion, record } of changes) {
    const name = JSON.stringify([kind, id]);
    if (seen.has(name)) throw new ValidationError([{ field: kind, expected: "one change of each record" }]);
    seen.add(name);
    if (record === undefined) continue;
    const known = expectedVersion === 0 ? record : knownPart(kind, record);
    parse<unknown>(recordSchemas[kind], known, kind);
    if (record.id !== id)
      throw new ValidationError([{ field: `${kind}.id`, expected: "the id of the change" }]);
    if (record.version !== expectedVersion + 1) {
      throw new ValidationError([
        { field: `${kind}.version`, expected: `${expectedVersion + 1}, one above the present` },
      ]);
    }
  }
}

/**
 * The values of a record that this version does not know, such as a limit that a later one has added. Whole fields that it
 * does not know are none of them: those are left as they are.
 */
export function unknownIn(kind: RecordKind, record: object): readonly FieldProblem[] {
  try {
    parse<unknown>(recordSchemas[kind], knownPart(kind, record), kind);
    return [];
  } catch (error) {
    if (isTollgateError(error, "validation")) return error.problems;
    throw error;
  }
}

/** The fields of a record that this version knows. */
function knownPart(kind: RecordKind, record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([field]) => recordFields.get(kind)?.has(field)));
}

/** @throws ValidationError for a field of a query that is not indexed */
export function checkWhere(kind: RecordKind, where: object): void {
  const fields: readonly string[] = INDEXES[kind].fields;
  for (const field of Object.keys(where)) {
    if (!fields.includes(field))
      throw new ValidationError([{ field, expected: `one of ${fields.join(", ")}` }]);
  }
}

/** @throws ValidationError for a field that is neither the id nor indexed */
export function checkAny(kind: RecordKind, any: object): void {
  const { id: _, ...fields } = any as { id?: unknown }; // sound: what else it has is looked at
  checkWhere(kind, fields);
}

/**
 * The error for a change that came too late. It does not say what exists under a taken id, which may be somebody
 * else's.
 */
export function staleVersion(
  kind: RecordKind,
  id: string,
  expectedVersion: number,
  present: number,
): ConflictError {
  const name = `${kind} ${JSON.stringify(id)}`;
  if (expectedVersion === 0) return new ConflictError(`${name} exists already`);
  const state = present === 0 ? "does not exist any more" : `is at version ${present}`;
  return new ConflictError(`${name} ${state}, not at version ${expectedVersion}`);
}

/** The error for a value that another record has. It leaves out the value, which may be a hash. */
export function takenValue(kind: RecordKind, fields: readonly string[]): ConflictError {
  return new ConflictError(`another ${kind} has the same ${fields.join(" and ")}`);
}
