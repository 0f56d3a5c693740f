import * as z from "zod";
import { type Limits, limitsSchema } from "../limits.js";
import { idSchema, nameSchema, text } from "../text.js";
import { timeZoneSchema } from "../time-zone.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, limitsPatch, type PageInput, pageFields, versionField } from "./fields.js";

/** An org to make. */
export interface NewOrg {
  /** 1 to 200 characters. No org has or had it. Made by the gate by default. */
  id?: string | undefined;
  /** A name for people, 1 to 200 characters. */
  name: string;
  /** The IANA time zone in which budgets reset. Default: `UTC`. */
  timeZone?: string | undefined;
  /** Limits of all its calls together. */
  limits?: Limits | undefined;
  /** `false` switches content logging off for the whole org. Default: `true`. */
  contentLogging?: boolean | undefined;
}

/** Names an org. */
export interface OrgById {
  orgId: string;
}

/** What to change of an org. What is left out stays. */
export interface OrgUpdate extends OrgById, AtVersion {
  /** A name for people, 1 to 200 characters. */
  name?: string | undefined;
  /** The IANA time zone in which budgets reset. */
  timeZone?: string | undefined;
  /** Replaces all limits. `null` removes them. */
  limits?: Limits | null | undefined;
  /** `false` switches content logging off for the whole org. */
  contentLogging?: boolean | undefined;
  /** No call of a suspended org passes. */
  status?: "active" | "suspended" | undefined;
}

/** An org to delete. */
export interface OrgDeletion extends OrgById, AtVersion {
  /** The org's name or id, as a confirmation. */
  confirm: string;
}

export const orgSchemas = {
  create: schemaOf<NewOrg>()(
    z.strictObject({
      id: idSchema.optional(),
      name: nameSchema,
      timeZone: timeZoneSchema.optional(),
      limits: limitsSchema.optional(),
      contentLogging: z.boolean().optional(),
    }),
  ),
  get: schemaOf<OrgById>()(z.strictObject({ orgId: idSchema })),
  list: schemaOf<PageInput>()(z.strictObject(pageFields)),
  update: schemaOf<OrgUpdate>()(
    z.strictObject({
      orgId: idSchema,
      ...versionField,
      name: nameSchema.optional(),
      timeZone: timeZoneSchema.optional(),
      limits: limitsPatch,
      contentLogging: z.boolean().optional(),
      status: z.enum(["active", "suspended"]).optional(),
    }),
  ),
  delete: schemaOf<OrgDeletion>()(
    z.strictObject({ orgId: idSchema, ...versionField, confirm: text(1, 200) }),
  ),
} as const;
