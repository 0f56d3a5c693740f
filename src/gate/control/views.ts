import { recordFields } from "../../model/record-schemas.js";
import type { RecordKind, Records } from "../../model/records.js";
import type { CallContext } from "../events/events.js";

/** What only the storage may see. */
const SECRETS = { key: ["hash", "previousHash"], invitation: ["hash"] } as const;

type Secrets = typeof SECRETS;

/** A record as callers and the audit trail see it: without its hashes. */
export type View<K extends RecordKind> = Omit<
  Records[K],
  K extends keyof Secrets ? Secrets[K][number] : never
>;

/** Fields that this version does not know are left out too: a later one may have written a secret there. */
export function viewOf<K extends RecordKind>(kind: K, record: Records[K]): View<K> {
  const secrets: Partial<Record<RecordKind, readonly string[]>> = SECRETS;
  const fields = recordFields.get(kind);
  const entries = Object.entries(record).filter(
    ([field, value]) => value !== undefined && fields?.has(field) && !secrets[kind]?.includes(field),
  );
  return Object.fromEntries(entries) as unknown as View<K>; // sound: exactly the secrets of the kind are left out
}

/** Whose a key is, for events. */
export function keyContext({ orgId, projectId, userId, id: keyId }: Records["key"]): CallContext {
  return { orgId, projectId, userId, keyId };
}
