import { setImmediate } from "node:timers/promises";
import { ValidationError } from "../../model/errors.js";
import { type AuditQuery, auditSchemas } from "../../model/inputs/audit.js";
import { auditEventsEnd, auditSequenceOf, type Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import type { Storage, Where } from "../../storage/storage.js";
import type { Control } from "./control.js";
import { LIMIT_DEFAULT, type Listed, listPage, mapped } from "./paging.js";
import { type View, viewOf } from "./views.js";

/**
 * One event of the audit trail: `actorUserId` (through the key `actorKeyId`, if that is given) did `action` to the record
 * `subjectId` of the kind `subjectKind`, at the moment `at` in epoch milliseconds. `changes` has each record before and
 * after. It contains no secret.
 */
export type AuditEvent = View<"auditEvent">;

/** The audit trail. Every write of the control plane appends to it, in the same commit. */
export interface Audit {
  /** Lists the events of an org that match, in the order of its writes or, for `newest`, from the last one back. */
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
        const { storage } = control;
        // INVARIANT: read before the events, so that it knows how far behind any of them may be.
        const trail = await storage.get("trail", orgId);
        const last = trail?.version ?? 0;
        // How long after the moment of an event the latest moment of all up to it may be.
        const { behindMs = Number.POSITIVE_INFINITY } = trail ?? {};
        if (query.order === "newest") {
          const end = await lastBefore(storage, orgId, last, to + behindMs);
          const isOlder = ({ latestAt }: Records["auditEvent"]) => latestAt < from;
          return mapped(await newestPage(storage, where, end, query, keep, isOlder), viewed);
        }
        const { after = auditEventsEnd(orgId, await lastBefore(storage, orgId, last, from)) } = query;
        const isPast = ({ latestAt }: Records["auditEvent"]) => latestAt - behindMs >= to;
        return mapped(
          await listPage(storage, "auditEvent", where, { ...query, after }, keep, isPast),
          viewed,
        );
      });
    },
  };
}

function viewed(event: Records["auditEvent"]): AuditEvent {
  return viewOf("auditEvent", event);
}

/**
 * The number of a write of an org such that every event up to it has a `latestAt` before a moment. If none was removed,
 * it is the last such write. By bisection: a trail grows for ever, and most of those who ask want its end.
 *
 * @param last the number of the last write
 */
async function lastBefore(storage: Storage, orgId: string, last: number, moment: number): Promise<number> {
  if (moment === 0) return 0;
  if (moment === Number.POSITIVE_INFINITY) return last;
  // INVARIANT: the events of the writes up to `older` are older, and the number is not above `end`.
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
  return older;
}

/**
 * One page of the events that match and that `keep` lets through, from a write back. A storage reads forward alone, so
 * the trail is read in stretches, each before the other.
 *
 * @param end the number of the write with which it begins
 * @param isOlder whether neither an event nor any before it can be in the list
 */
async function newestPage(
  storage: Storage,
  where: Where<"auditEvent">,
  end: number,
  { orgId, after, limit = LIMIT_DEFAULT }: AuditQuery,
  keep: (event: Records["auditEvent"]) => boolean,
  isOlder: (event: Records["auditEvent"]) => boolean,
): Promise<Listed<Records["auditEvent"]>> {
  const items: Records["auditEvent"][] = [];
  let last = after === undefined ? end : Math.min(end, sequenceAt(orgId, after));
  const most = 4 * (limit + 1);
  let size = limit + 1;
  while (last > 0) {
    const first = Math.max(0, last - size);
    const events = await eventsBetween(storage, where, { orgId, first, last, most });
    if (events === undefined) {
      size = Math.ceil(size / 2);
      continue;
    }
    for (const event of events.reverse()) {
      if (after !== undefined && event.id >= after) continue;
      if (isOlder(event)) return { items };
      if (!keep(event)) continue;
      if (items.length === limit) return { items, next: items[limit - 1]?.id ?? "" };
      items.push(event);
    }
    last = first;
    // Few of many events may match.
    if (events.length * 2 <= most) size *= 2;
    await setImmediate();
  }
  return { items };
}

/** The events that match of the writes after `first` up to `last`. Undefined if they are too many, of several writes. */
async function eventsBetween(
  storage: Storage,
  where: Where<"auditEvent">,
  { orgId, first, last, most }: { orgId: string; first: number; last: number; most: number },
): Promise<Records["auditEvent"][] | undefined> {
  const events: Records["auditEvent"][] = [];
  for (let after = auditEventsEnd(orgId, first); ; after = events.at(-1)?.id ?? after) {
    const found = await storage.find("auditEvent", where, { after, limit: most });
    const within = found.filter(({ sequence }) => sequence <= last);
    events.push(...within);
    if (within.length < most) return events;
    if (last - first > 1) return undefined;
  }
}

/** @throws ValidationError if `after` is not the id of an event of the org */
function sequenceAt(orgId: string, after: string): number {
  const sequence = auditSequenceOf(orgId, after);
  if (sequence !== undefined) return sequence;
  throw new ValidationError([{ field: "audit.after", expected: "the `next` of the page before" }]);
}
