import * as z from "zod";
import { type Limits, limitsSchema } from "./limits.js";
import { patternSchema } from "./patterns.js";
import { idSchema, modelSchema, momentSchema } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";
import { recordOf, schemaOf } from "./validation.js";

/** Patterns of what may be called. `null` or absent: no restriction here. `[]`: nothing. */
export const allowListSchema = z
  .array(patternSchema)
  .max(1000, { error: "at most 1000 patterns" })
  .nullable();

/** The models that a virtual model stands for, in the order of fallback. */
export const targetsSchema = z
  .array(modelSchema)
  .min(1, { error: "at least one model" })
  .max(50, { error: "at most 50 models" });

/**
 * Everything that decides about the calls of one key: its org, its project, its holder as a member, and the key itself.
 *
 * A `Directory` returns it; with tables of your own, build it from those. It is parsed with {@link keyChainSchema} when
 * it is loaded, so a misspelt limit is an error rather than a limit that does not apply.
 */
export interface KeyChain {
  readonly org: {
    readonly id: string;
    /** Default: `active`. */
    readonly status?: "active" | "suspended" | undefined;
    /** The IANA time zone in which budgets reset. Default: `UTC`. */
    readonly timeZone?: string | undefined;
    readonly limits?: Limits | undefined;
    /** `false` switches content logging off for the whole org. Default: `true`. */
    readonly contentLogging?: boolean | undefined;
    /** The targets of each virtual model by its alias: 1 to 50, in the order of fallback. */
    readonly virtualModels?: Readonly<Record<string, readonly string[]>> | undefined;
    /** All credit ever granted, in nano-USD. Absent if the org does not use credits. */
    readonly creditsNanoUsd?: number | undefined;
  };
  readonly project: {
    readonly id: string;
    /** Default: `active`. */
    readonly status?: "active" | "archived" | undefined;
    /** Patterns of the models that may be called, at most 1,000. `null` or absent allows all, `[]` none. */
    readonly models?: readonly string[] | null | undefined;
    /** Patterns of the MCP servers that may be called, with the same meaning as `models`. */
    readonly mcpServers?: readonly string[] | null | undefined;
    readonly limits?: Limits | undefined;
    readonly contentLogging?: boolean | undefined;
  };
  readonly holder: {
    readonly userId: string;
    /** Whether the holder is in the org and the project now. An org owner is in every project. */
    readonly active: boolean;
    /** When the membership ends, in epoch milliseconds. From then on calls are refused as `holder_removed`. */
    readonly expiresAt?: number | undefined;
    /** Limits of the holder within this project, shared by all their keys in it. */
    readonly limits?: Limits | undefined;
  };
  readonly key: {
    readonly id: string;
    /** Default: `active`. */
    readonly status?: "active" | "disabled" | "revoked" | undefined;
    /** When the key expires, in epoch milliseconds. From then on calls are refused as `key_expired`. */
    readonly expiresAt?: number | undefined;
    /** As for the project. A model has to pass both lists. */
    readonly models?: readonly string[] | null | undefined;
    readonly mcpServers?: readonly string[] | null | undefined;
    readonly limits?: Limits | undefined;
    readonly contentLogging?: boolean | undefined;
    /** The token before the last rotation: its SHA-256 hash, and until when it still works, in epoch milliseconds. */
    readonly previousToken?: { readonly hash: string; readonly expiresAt: number } | undefined;
  };
}

const orgSchema = z.strictObject({
  id: idSchema,
  status: z.enum(["active", "suspended"]).optional(),
  timeZone: timeZoneSchema.optional(),
  limits: limitsSchema.optional(),
  contentLogging: z.boolean().optional(),
  virtualModels: recordOf(modelSchema, targetsSchema).optional(),
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

/** The zod schema of {@link KeyChain}. A field it does not know is an error. */
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

/** The scopes above a key: an org, and the project and the member in it if those were asked for. */
export interface ScopeChain {
  readonly org: KeyChain["org"];
  readonly project?: KeyChain["project"] | undefined;
  readonly holder?: KeyChain["holder"] | undefined;
}

/** The zod schema of {@link ScopeChain}. */
export const scopeChainSchema: z.ZodType<ScopeChain> = schemaOf<ScopeChain>()(
  z.strictObject({ org: orgSchema, project: projectSchema.optional(), holder: holderSchema.optional() }),
);
