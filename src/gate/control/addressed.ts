import { ConflictError, NotFoundError } from "../../model/errors.js";
import type { RecordKind, Records } from "../../model/records.js";
import type { Resource } from "../../policy/principal.js";
import type { StandardPermission } from "../../policy/standard.js";
import type { Storage } from "../../storage/storage.js";

/** The permission needed to see each kind of record at all. */
export const VIEWING = {
  project: "project.view",
  key: "key.view",
  invitation: "invitation.view",
  virtualModel: "virtualModel.manage",
  mcpServer: "mcpServer.manage",
  externalKey: "externalKey.manage",
  creditGrant: "billing.view",
} as const satisfies Partial<Record<RecordKind, StandardPermission>>;

/** The kinds of records that have an id of their own. */
export type Addressed = keyof typeof VIEWING;

/** Which record, as a caller names it. */
export interface Ref {
  readonly id: string;
  readonly orgId?: string | undefined;
  /** The version that the caller has seen. */
  readonly version?: number | undefined;
}

/**
 * The record with an id, whoever asks for it.
 *
 * @throws NotFoundError if there is none, or none in that org
 */
export async function addressed<K extends Addressed>(
  storage: Storage,
  kind: K,
  { id, orgId }: Ref,
): Promise<Records[K]> {
  const record = await storage.get(kind, id);
  if (record === undefined || (orgId !== undefined && record.orgId !== orgId))
    throw new NotFoundError(kind, id);
  return record;
}

/** The resource that a policy is asked about for a record. */
export function resourceOf<K extends Addressed>(kind: K, record: Records[K]): Resource {
  return RESOURCES[kind](record);
}

const RESOURCES: { readonly [K in Addressed]: (record: Records[K]) => Resource } = {
  project: ({ orgId, id }) => ({ orgId, projectId: id }),
  key: ({ orgId, projectId, userId }) => ({ orgId, projectId, userId }),
  invitation: ofOrg,
  virtualModel: ofOrg,
  mcpServer: ofOrg,
  externalKey: ofOrg,
  creditGrant: ofOrg,
};

function ofOrg({ orgId }: { readonly orgId: string }): Resource {
  return { orgId };
}

/** @throws ConflictError naming both versions if they differ */
export function requireVersion(
  kind: RecordKind,
  record: { readonly id: string; readonly version: number },
  version: number | undefined,
): void {
  if (version === undefined || version === record.version) return;
  throw new ConflictError(
    `${kind} ${JSON.stringify(record.id)} is at version ${record.version}, not at version ${version}`,
  );
}
