import { recordKinds } from "../../model/record-schemas.js";
import type { RecordKind } from "../../model/records.js";
import { FEW_VALUES, INDEXES } from "../indexes.js";
import { snakeCase } from "../snake-case.js";

/** What a column refers to. The record there may be written later in the same commit. */
interface Reference {
  readonly field: string;
  readonly kind: RecordKind;
}

interface Table {
  /** The fields that are columns, since they are looked up. */
  readonly fields: readonly string[];
  readonly unique: readonly (readonly string[])[];
  readonly references: readonly Reference[];
  /** Fields with many values. Each has an index, within which records are sorted by id. */
  readonly indexed: readonly string[];
}

const OF_ORG: Reference = { field: "orgId", kind: "org" };
const OF_PROJECT: Reference = { field: "projectId", kind: "project" };

/** The trail and its events refer to nothing, since they outlive what they are about. A key's holder may have left. */
const REFERENCES: { readonly [K in RecordKind]: readonly Reference[] } = {
  org: [],
  orgMember: [OF_ORG],
  invitation: [OF_ORG],
  project: [OF_ORG],
  projectMember: [OF_ORG, OF_PROJECT],
  key: [OF_ORG, OF_PROJECT],
  keyUse: [OF_ORG, { field: "id", kind: "key" }],
  virtualModel: [OF_ORG],
  mcpServer: [OF_ORG],
  externalKey: [OF_ORG, OF_PROJECT],
  creditGrant: [OF_ORG],
  trail: [],
  auditEvent: [],
};

export function tableOf(kind: RecordKind): Table {
  const { fields, unique }: { fields: readonly string[]; unique: readonly (readonly string[])[] } =
    INDEXES[kind];
  const found = new Set(unique.flatMap((names) => (names.length === 1 ? names : [])));
  const indexed = fields.filter((field) => !FEW_VALUES.has(field) && !found.has(field));
  return { fields, unique, references: REFERENCES[kind], indexed };
}

/** The name of the constraint that some fields of a kind are unique. */
export function uniqueName(kind: RecordKind, fields: readonly string[]): string {
  return `${snakeCase(kind)}_${fields.map(snakeCase).join("_")}_unique`;
}

/** The name of the constraint that the record named by a field exists. */
export function referenceName(kind: RecordKind, field: string): string {
  return `${snakeCase(kind)}_${snakeCase(field)}_exists`;
}

/**
 * The tables of the records, in schema `s`.
 *
 * A record is one JSON text as it was given: `json`, because `jsonb` would reorder the limits per model. What is looked
 * up are columns that the database derives from it, so the two cannot disagree. Uniqueness and references are checked
 * at the end of a commit, so its changes may come in any order.
 */
export function tablesSql(s: string): string {
  return recordKinds.map((kind) => tableSql(s, kind)).join("\n");
}

function tableSql(s: string, kind: RecordKind): string {
  const { fields, unique, references, indexed } = tableOf(kind);
  const name = snakeCase(kind);
  const textColumn = (field: string) =>
    `${snakeCase(field)} text COLLATE "C" GENERATED ALWAYS AS (record ->> '${field}') STORED`;
  const columns = [
    `${textColumn("id")} PRIMARY KEY`,
    "version bigint GENERATED ALWAYS AS ((record ->> 'version')::bigint) STORED NOT NULL",
    ...fields.map(textColumn),
    "record json NOT NULL",
    ...unique.map(
      (names) =>
        `CONSTRAINT ${uniqueName(kind, names)} UNIQUE (${names.map(snakeCase).join(", ")}) DEFERRABLE INITIALLY DEFERRED`,
    ),
    ...references.map(
      ({ field, kind: other }) =>
        `CONSTRAINT ${referenceName(kind, field)} FOREIGN KEY (${snakeCase(field)}) REFERENCES ${s}.${snakeCase(other)} (id)` +
        " DEFERRABLE INITIALLY DEFERRED",
    ),
  ];
  const indexes = indexed.map((field) => `CREATE INDEX ON ${s}.${name} (${snakeCase(field)}, id);`);
  return [`CREATE TABLE ${s}.${name} (\n  ${columns.join(",\n  ")}\n);`, ...indexes, ""].join("\n");
}
