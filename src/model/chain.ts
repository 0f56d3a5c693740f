import * as z from "zod";
import { type Limits, limitsSchema } from "./limits.js";
import { patternSchema } from "./patterns.js";
import { idSchema, modelSchema, momentSchema } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";
import { recordOf, schemaOf } from "./validation.js";

/** Patterns of what may be called. `null` or absent inherits; `[]` is none. */
export const allowListSchema = z
  .array(patternSchema)
  .max(1000, { error: "at most 1000 patterns" })
  .nullable();

/** Alias to its targets, in the order of fallback. */
const virtualModelsSchema = recordOf(modelSchema, z.array(modelSchema).min(1).max(50));

/**
 * All that decides about the calls of one key: the key, its holder as a member of the project, the project, the org.
 *
 * A `Directory` gives it; whoever has tables of their own builds it from them. It is parsed with {@link keyChainSchema}
 * when it is loaded, so a misspelt limit is an error and not a limit that nobody holds.
 */
export interface KeyChain {
  readonly org: {
    readonly id: string;
    /** `active` by default. */
    readonly status?: "active" | "suspended" | undefined;
    /** IANA time zone in which budgets reset; `UTC` by default. */
    readonly timeZone?: string | undefined;
    readonly limits?: Limits | undefined;
    /** `false` switches the logging of contents off for the whole org. */
    readonly contentLogging?: boolean | undefined;
    /** Alias to its targets, in the order of fallback. */
    readonly virtualModels?: Readonly<Record<string, readonly string[]>> | undefined;
    /** All credit ever granted, in nano-USD; absent where the org does not work with credits. */
    readonly creditsNanoUsd?: number | undefined;
  };
  readonly project: {
    readonly id: string;
    /** `active` by default. */
    readonly status?: "active" | "archived" | undefined;
    /** Patterns of models that may be called; `null` or absent allows all, `[]` none. */
    readonly models?: readonly string[] | null | undefined;
    readonly mcpServers?: readonly string[] | null | undefined;
    readonly limits?: Limits | undefined;
    readonly contentLogging?: boolean | undefined;
  };
  readonly holder: {
    readonly userId: string;
    /** Whether the holder is in the org and in the project now; an org owner is in every project. */
    readonly active: boolean;
    /** When the membership ends, in epoch milliseconds. */
    readonly expiresAt?: number | undefined;
    /** Limits of the holder as a member of the project, over all their keys in it. */
    readonly limits?: Limits | undefined;
  };
  readonly key: {
    readonly id: string;
    /** `active` by default. */
    readonly status?: "active" | "disabled" | "revoked" | undefined;
    /** Epoch milliseconds. */
    readonly expiresAt?: number | undefined;
    /** As of the project; a model has to pass both lists. */
    readonly models?: readonly string[] | null | undefined;
    readonly mcpServers?: readonly string[] | null | undefined;
    readonly limits?: Limits | undefined;
    readonly contentLogging?: boolean | undefined;
    /** SHA-256 of the token before the last rotation, valid until `expiresAt`. */
    readonly previousToken?: { readonly hash: string; readonly expiresAt: number } | undefined;
  };
}

const orgSchema = z.strictObject({
  id: idSchema,
  status: z.enum(["active", "suspended"]).optional(),
  timeZone: timeZoneSchema.optional(),
  limits: limitsSchema.optional(),
  contentLogging: z.boolean().optional(),
  virtualModels: virtualModelsSchema.optional(),
  creditsNanoUsd: z.int().min(0).optional(),
});

const projectSchema = z.strictObject({
  id: idSchema,
  status: z.enum(["active", "archived"]).optional(),
  models: allowListSchema.optional(),
  mcpServers: allowListSchema.optional(),
  limits: limitsSchema.optional(),
  contentLogging: z.boolean().optional(),
});

const holderSchema = z.strictObject({
  userId: idSchema,
  active: z.boolean(),
  expiresAt: momentSchema.optional(),
  limits: limitsSchema.optional(),
});

/** {@link KeyChain} */
export const keyChainSchema: z.ZodType<KeyChain> = schemaOf<KeyChain>()(
  z.strictObject({
    org: orgSchema,
    project: projectSchema,
    holder: holderSchema,
    key: z.strictObject({
      id: idSchema,
      status: z.enum(["active", "disabled", "revoked"]).optional(),
      expiresAt: momentSchema.optional(),
      models: allowListSchema.optional(),
      mcpServers: allowListSchema.optional(),
      limits: limitsSchema.optional(),
      contentLogging: z.boolean().optional(),
      previousToken: z.strictObject({ hash: z.string(), expiresAt: momentSchema }).optional(),
    }),
  }),
);

/** What stands above the keys: an org, and a project and a member of it where they were asked for. */
export interface ScopeChain {
  readonly org: KeyChain["org"];
  readonly project?: KeyChain["project"] | undefined;
  readonly holder?: KeyChain["holder"] | undefined;
}

/** {@link ScopeChain} */
export const scopeChainSchema: z.ZodType<ScopeChain> = schemaOf<ScopeChain>()(
  z.strictObject({ org: orgSchema, project: projectSchema.optional(), holder: holderSchema.optional() }),
);
