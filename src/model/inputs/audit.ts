import * as z from "zod";
import { idSchema, momentSchema, text } from "../text.js";
import { schemaOf } from "../validation.js";
import { type PageInput, pageFields } from "./fields.js";

/** Which events of the audit trail to list. */
export interface AuditQuery extends PageInput {
  orgId: string;
  projectId?: string | undefined;
  /** Who did it, themselves or through a key. */
  userId?: string | undefined;
  /** What was done, such as `key.rotate`. */
  action?: string | undefined;
  outcome?: "done" | "denied" | undefined;
  /** The kind of what it was done to, such as `key`. */
  subjectKind?: string | undefined;
  /** The id of what it was done to. */
  subjectId?: string | undefined;
  /** From this moment on, in epoch milliseconds. The trail before it is not read. */
  from?: number | undefined;
  /**
   * Before this moment, in epoch milliseconds. The trail from it on is not read either, except as far as clocks have ever
   * gone back.
   */
  to?: number | undefined;
  /** Which events come first. Default: `oldest`. */
  order?: "oldest" | "newest" | undefined;
}

export const auditSchemas = {
  list: schemaOf<AuditQuery>()(
    z.strictObject({
      orgId: idSchema,
      projectId: idSchema.optional(),
      userId: idSchema.optional(),
      action: text(1, 100).optional(),
      outcome: z.enum(["done", "denied"]).optional(),
      subjectKind: text(1, 100).optional(),
      subjectId: text(1, 4000).optional(),
      from: momentSchema.optional(),
      to: momentSchema.optional(),
      order: z.enum(["oldest", "newest"]).optional(),
      ...pageFields,
    }),
  ),
} as const;
