import type { RecordKind, Records } from "../../model/records.js";
import type { Change, Storage } from "../../storage/storage.js";
import { check, claim, rejection } from "./check.js";

const CREATED_AT = 1_700_000_000_000;

/** A project as a storage is given it. */
export function project(id: string, fields: Partial<Records["project"]> = {}): Records["project"] {
  const base = {
    id,
    orgId: "acme",
    version: 1,
    createdAt: CREATED_AT,
    name: "Web",
    status: "active",
  } as const;
  return { ...base, models: null, mcpServers: null, contentLogging: true, ...fields };
}

/** A key as a storage is given it. */
export function key(id: string, fields: Partial<Records["key"]> = {}): Records["key"] {
  const base = { id, orgId: "acme", version: 1, createdAt: CREATED_AT, projectId: "web", userId: "max" };
  const scope = { models: null, mcpServers: null, contentLogging: true, tags: {}, status: "active" } as const;
  return { ...base, ...scope, hash: `hash of ${id}`, preview: "…", issuedTo: "max", ...fields };
}

/** Makes a record, or replaces its version before this one. */
export function put<K extends RecordKind>(kind: K, record: Records[K]): Change {
  return change(kind, record.id, record.version - 1, record);
}

/** Deletes a record at its version. */
export function remove(kind: RecordKind, id: string, version: number): Change {
  return change(kind, id, version, undefined);
}

export function change<K extends RecordKind>(
  kind: K,
  id: string,
  expectedVersion: number,
  record: Records[K] | undefined,
): Change {
  return { kind, id, expectedVersion, record } as unknown as Change; // sound: the record is of the kind
}

/** Appends to a list of a record, as JavaScript code may that knows no `readonly`. */
export function meddle(list: readonly string[] | null | undefined, text: string): void {
  (list as string[] | null | undefined)?.push(text);
}

/** The ids of what a storage finds. */
export async function idsOf(found: Promise<readonly { readonly id: string }[]>): Promise<string[]> {
  return (await found).map(({ id }) => id);
}

/** Checks that a commit is turned down with an error of a code of `TollgateError`, and gives its message. */
export async function turnedDown(
  what: string,
  code: "conflict" | "validation",
  commit: Promise<unknown>,
): Promise<string> {
  const error = await rejection(what, commit);
  claim(`${what}: was rejected with something that is no Error`, error instanceof Error);
  check(`${what}: the code of ${error.name} (${error.message})`, Reflect.get(error, "code"), code);
  return error.message;
}

/** Checks that no record of a kind has an id. */
export async function absent(storage: Storage, kind: RecordKind, id: string): Promise<void> {
  check(`get ${kind} ${JSON.stringify(id)}`, await storage.get(kind, id), undefined);
}
