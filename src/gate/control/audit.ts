import * as z from "zod";
import type { Records } from "../../model/records.js";
import { idSchema, momentSchema, text } from "../../model/text.js";
import { parse } from "../../model/validation.js";
import type { Control } from "./control.js";
import { type Listed, listViews, pageFields } from "./paging.js";
import type { View } from "./views.js";

/**
 * One event of the audit trail: who did what to which record, when, and the values before and after. It contains no
 * secret.
 */
export type AuditEvent = View<"auditEvent">;

export const auditSchemas = {
  list: z.strictObject({
    orgId: idSchema,
    projectId: idSchema.optional(),
    /** Who did it, themselves or through a key. */
    userId: idSchema.optional(),
    /** What was done, such as `key.rotate`. */
    action: text(1, 100).optional(),
    outcome: z.enum(["done", "denied"]).optional(),
    /** What it was done to. */
    subjectKind: text(1, 100).optional(),
    subjectId: text(1, 4000).optional(),
    /** From this moment on. */
    from: momentSchema.optional(),
    /** Before this moment. */
    to: momentSchema.optional(),
    ...pageFields,
  }),
} as const;

/** The audit trail. Every write of the control plane appends to it, in the same commit. */
export interface Audit {
  /** Lists the events of an org in the order of its writes. */
  list(input: z.input<typeof auditSchemas.list>): Promise<Listed<AuditEvent>>;
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
      return control.read("audit.view", { orgId }, () =>
        listViews(control.storage, "auditEvent", where, query, keep),
      );
    },
  };
}
