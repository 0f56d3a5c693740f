import type { AuditEvent } from "./audit.js";

/** Records as the audit trail shows them, by kind and id. */
export type Replayed = ReadonlyMap<string, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;

/**
 * Rebuilds the state that an audit trail leads to.
 *
 * @param events all events of one org in order, as `audit.list` returns them
 */
export function replayAudit(events: Iterable<AuditEvent>): Replayed {
  const state = new Map<string, Map<string, Readonly<Record<string, unknown>>>>();
  for (const { changes } of events) {
    for (const { kind, id, after } of changes) {
      const records = state.get(kind) ?? new Map();
      state.set(kind, records);
      if (after) records.set(id, after);
      else records.delete(id);
    }
  }
  return state;
}
