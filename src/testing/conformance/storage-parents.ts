import type { Change, Storage } from "../../storage/storage.js";
import { project, put } from "./storage-records.js";

/**
 * A storage that makes the org and the project of a record before the record itself, where nobody has: the cases say
 * only what they are about, and an adapter may hold references.
 */
export function withParents(storage: Storage): Storage {
  const made = new Map<string, Promise<void>>();
  const make = (parent: Change): Promise<void> => {
    const name = nameOf(parent);
    const making = made.get(name) ?? storage.commit([parent]).catch(unlessTaken);
    made.set(name, making);
    return making;
  };
  return {
    get: (kind, id) => storage.get(kind, id),
    find: (kind, where, page) => storage.find(kind, where, page),
    async commit(changes) {
      const own = new Set(changes.map(nameOf));
      const parents = changes.flatMap(parentsOf).filter((parent) => !own.has(nameOf(parent)));
      for (const parent of parents) await make(parent);
      await storage.commit(changes);
    },
    ...(storage.findAny && { findAny: storage.findAny.bind(storage) }),
    ...(storage.watch && { watch: storage.watch.bind(storage) }),
    close: () => storage.close(),
  };
}

/** Orgs first: a project needs its own. */
function parentsOf({ kind, record }: Change): Change[] {
  if (record === undefined || kind === "org") return [];
  const { orgId } = record;
  const org = put("org", {
    ...{ id: orgId, orgId, version: 1, createdAt: 0, name: "made for a case", status: "active" },
    ...{ timeZone: "UTC", contentLogging: true },
  });
  const projectId: unknown = Reflect.get(record, "projectId");
  return typeof projectId === "string" ? [org, put("project", project(projectId, { orgId }))] : [org];
}

function unlessTaken(error: unknown): void {
  if (Reflect.get(Object(error), "code") !== "conflict") throw error;
}

function nameOf({ kind, id }: Change): string {
  return `${kind} ${id}`;
}
