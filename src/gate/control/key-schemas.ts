import * as z from "zod";
import { limitsSchema } from "../../model/limits.js";
import { idSchema, momentSchema, nameSchema, tagsSchema, text } from "../../model/text.js";
import { expiryPatch, limitsPatch, orgField, scopeFields, versionField } from "./fields.js";
import { pageFields } from "./paging.js";

const ref = { keyId: idSchema, ...orgField };

/** For disable, enable and revoke. */
const status = z.strictObject({ ...ref, ...versionField });

/** A year. A token that has to work longer is not being rotated. */
const GRACE_MAX_MS = 31_536_000_000;
const GRACE = "a whole number of milliseconds, at most a year";

export const keySchemas = {
  create: z.strictObject({
    orgId: idSchema,
    projectId: idSchema,
    id: idSchema.optional(),
    /** The holder; the actor by default. */
    userId: idSchema.optional(),
    name: nameSchema.optional(),
    tags: tagsSchema.optional(),
    limits: limitsSchema.optional(),
    ...scopeFields,
    expiresAt: momentSchema.optional(),
  }),
  get: z.strictObject(ref),
  list: z.strictObject({
    orgId: idSchema,
    projectId: idSchema.optional(),
    /** The holder. */
    userId: idSchema.optional(),
    status: z.enum(["active", "disabled", "revoked"]).optional(),
    /** The name of a tag that it has, or a name and its value. */
    tag: z
      .union([text(1, 100), z.strictObject({ name: text(1, 100), value: text(0, 200) })], {
        error: "the name of a tag, or an object with name and value",
      })
      .optional(),
    /** Only keys that end before this moment, by themselves or with their holder's membership. */
    expiringBefore: momentSchema.optional(),
    /** Only keys that were made and last used before this moment. */
    unusedSince: momentSchema.optional(),
    ...pageFields,
  }),
  update: z.strictObject({
    ...ref,
    ...versionField,
    name: nameSchema.nullable().optional(),
    tags: tagsSchema.optional(),
    limits: limitsPatch,
    ...scopeFields,
    expiresAt: expiryPatch,
  }),
  disable: status,
  enable: status,
  revoke: status,
  rotate: z.strictObject({
    ...ref,
    ...versionField,
    /** How long the previous token keeps working, in milliseconds. Default: 0. */
    graceMs: z.int({ error: GRACE }).min(0, { error: GRACE }).max(GRACE_MAX_MS, { error: GRACE }).optional(),
  }),
  effective: z.strictObject(ref),
} as const;
