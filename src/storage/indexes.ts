import type { RecordKind, Records } from "../model/records.js";

type StringField<K extends RecordKind> = {
  [F in keyof Records[K]]-?: Records[K][F] extends string | undefined ? F : never;
}[keyof Records[K]] &
  string;

interface Indexes<K extends RecordKind> {
  /** The fields by which `find` can search. */
  readonly fields: readonly StringField<K>[];
  /**
   * The fields whose combined values may occur only once. A record without a value for one of them is exempt, like NULL
   * in SQL.
   */
  readonly unique: readonly (readonly StringField<K>[])[];
}

/** What every adapter indexes, by kind of record. `id` is always unique as well. */
export const INDEXES = {
  org: { fields: ["orgId"], unique: [] },
  orgMember: { fields: ["orgId", "userId", "role"], unique: [["orgId", "userId"]] },
  invitation: { fields: ["orgId", "hash", "status"], unique: [["hash"]] },
  project: { fields: ["orgId", "status"], unique: [] },
  projectMember: {
    fields: ["orgId", "projectId", "userId"],
    unique: [["orgId", "projectId", "userId"]],
  },
  key: {
    fields: ["orgId", "projectId", "userId", "status", "hash", "previousHash"],
    unique: [["hash"], ["previousHash"]],
  },
  keyUse: { fields: ["orgId"], unique: [] },
  virtualModel: { fields: ["orgId", "alias"], unique: [["orgId", "alias"]] },
  mcpServer: { fields: ["orgId", "name"], unique: [["orgId", "name"]] },
  // A key for the whole org has no project. That there is one for each provider is up to the control plane.
  externalKey: {
    fields: ["orgId", "projectId", "provider"],
    unique: [["orgId", "projectId", "provider"]],
  },
  creditGrant: { fields: ["orgId"], unique: [] },
  trail: { fields: ["orgId"], unique: [] },
  auditEvent: {
    fields: ["orgId", "projectId", "actorUserId", "action", "outcome", "subjectKind", "subjectId"],
    unique: [],
  },
} as const satisfies { readonly [K in RecordKind]: Indexes<K> };

/** Fields with few values: one of them narrows a search little beside a field with many. */
export const FEW_VALUES: ReadonlySet<string> = new Set([
  "status",
  "role",
  "action",
  "outcome",
  "subjectKind",
]);

/** The fields of a kind of record by which `find` can search. */
export type IndexedField<K extends RecordKind> = (typeof INDEXES)[K]["fields"][number];
