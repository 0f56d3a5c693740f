import { z } from "zod";
import { limitsSchema } from "./limits.js";
import { patternSchema } from "./patterns.js";
import { idSchema, modelSchema, momentSchema } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";
import { recordOf } from "./validation.js";

/** Patterns of what may be called. `null` or absent inherits; `[]` is none. */
export const allowListSchema = z
  .array(patternSchema)
  .max(1000, { error: "at most 1000 patterns" })
  .nullable();

/** Alias to its targets, in the order of fallback. */
export const virtualModelsSchema = recordOf(modelSchema, z.array(modelSchema).min(1).max(50));

/**
 * All that decides about the calls of one key: the key, its holder as a member of the project, the project, the org.
 *
 * A `Directory` gives it; whoever has tables of their own builds it from them. It is parsed with {@link keyChainSchema}
 * when it is loaded, so a misspelt limit is an error and not a limit that nobody holds.
 */
export const keyChainSchema = z.strictObject({
  org: z.strictObject({
    id: idSchema,
    /** `active` by default. */
    status: z.enum(["active", "suspended"]).optional(),
    /** IANA time zone in which budgets reset; `UTC` by default. */
    timeZone: timeZoneSchema.optional(),
    limits: limitsSchema.optional(),
    /** `false` switches the logging of contents off for the whole org. */
    contentLogging: z.boolean().optional(),
    virtualModels: virtualModelsSchema.optional(),
    /** All credit ever granted, in nano-USD; absent where the org does not work with credits. */
    creditsNanoUsd: z.int().min(0).optional(),
  }),
  project: z.strictObject({
    id: idSchema,
    status: z.enum(["active", "archived"]).optional(),
    models: allowListSchema.optional(),
    mcpServers: allowListSchema.optional(),
    limits: limitsSchema.optional(),
    contentLogging: z.boolean().optional(),
  }),
  holder: z.strictObject({
    userId: idSchema,
    /** Whether the holder is in the org and in the project now; an org owner is in every project. */
    active: z.boolean(),
    /** When the membership ends. */
    expiresAt: momentSchema.optional(),
    /** Limits of the holder as a member of the project, over all their keys in it. */
    limits: limitsSchema.optional(),
  }),
  key: z.strictObject({
    id: idSchema,
    status: z.enum(["active", "disabled", "revoked"]).optional(),
    expiresAt: momentSchema.optional(),
    models: allowListSchema.optional(),
    mcpServers: allowListSchema.optional(),
    limits: limitsSchema.optional(),
    contentLogging: z.boolean().optional(),
    /** The token before the last rotation, valid until `expiresAt`. */
    previousToken: z.strictObject({ hash: z.string(), expiresAt: momentSchema }).optional(),
  }),
});
export type KeyChain = z.infer<typeof keyChainSchema>;
