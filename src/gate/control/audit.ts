import { type AuditQuery, auditSchemas } from "../../model/inputs/audit.js";
import { auditEventsEnd, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Storage } from "../../storage/storage.js";
import type { Control } from "./control.js";
import { type Listed, listViews } from "./paging.js";
import type { View } from "./views.js";

/**
 * One event of the audit trail: `actorUserId` (through the key `actorKeyId`, if that is given) did `action` to the record
 * `subjectId` of the kind `subjectKind`, at the moment `at` in epoch milliseconds. `changes` has each record before and
 * after. It contains no secret.
 */
export type AuditEvent = View<"auditEvent">;

/** The audit trail. Every write of the control plane appends to it, in the same commit. */
export interface Audit {
  /** Lists the events of an org that match, in the order of its writes. */
  list(input: AuditQuery): Promise<Listed<AuditEvent>>;
}

export function auditOf(control: Control): Audit {
  return {
    async list(input) {
      const query = parse(auditSchemas.list, input, "audit");
      const { orgId, projectId, userId, action, outcome, subjectKind, subjectId } = query;
      const { from = 0, to = Number.POSITIVE_INFINITY } = query;
      const where = {
        orgId,
        ...(projectId !== undefined && { projectId }),
        ...(userId !== undefined && { actorUserId: userId }),
        ...(action !== undefined && { action }),
        ...(outcome !== undefined && { outcome }),
        ...(subjectKind !== undefined && { subjectKind }),
        ...(subjectId !== undefined && { subjectId }),
      };
      const keep = ({ at }: Records["auditEvent"]) => at >= from && at < to;
      return control.read("audit.view", { orgId }, async () => {
        // INVARIANT: read before the events, so that it knows how far behind any of them may be.
        const trail = await control.storage.get("trail", orgId);
        const { after = await endBefore(control.storage, orgId, trail?.version ?? 0, from) } = query;
        const { behindMs = Number.POSITIVE_INFINITY } = trail ?? {};
        const isPast = ({ latestAt }: Records["auditEvent"]) => latestAt - behindMs >= to;
        return listViews(control.storage, "auditEvent", where, { ...query, after }, keep, isPast);
      });
    },
  };
}

/**
 * A place in the trail of an org before which every event is older than a moment. By bisection: a trail grows for ever,
 * and most of those who ask want its end.
 */
async function endBefore(
  storage: Storage,
  orgId: string,
  last: number,
  moment: number,
): Promise<string | undefined> {
  if (moment === 0) return undefined;
  // INVARIANT: the events of the writes up to `older` are older, and the place is not after `end`.
  let older = 0;
  let end = last;
  while (older < end) {
    const middle = Math.floor((older + end) / 2);
    // The next one that is there: somebody may have removed some of them from their tables.
    const [event] = await storage.find(
      "auditEvent",
      { orgId },
      { after: auditEventsEnd(orgId, middle), limit: 1 },
    );
    if (event !== undefined && event.latestAt < moment) older = event.sequence;
    else end = middle;
  }
  return auditEventsEnd(orgId, older);
}
