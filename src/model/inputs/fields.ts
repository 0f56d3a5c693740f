import * as z from "zod";
import { allowListSchema } from "../chain.js";
import { limitsSchema } from "../limits.js";
import { idSchema, momentSchema, text } from "../text.js";
import { wholeNumber } from "../validation.js";

const VERSION = "the version of the record, a whole number from 1";

/** Names the org of a record that is named by its id. Ids are unique without it. */
export interface OfOrg {
  /** A check: a record of another org is not found. */
  orgId?: string | undefined;
}

/** Guards a write against what others have written meanwhile. */
export interface AtVersion {
  /** The version of the record as the caller has seen it. A write to a record that has moved on is a ConflictError. */
  version?: number | undefined;
}

/** What a project and a key can restrict. */
export interface Restrictions {
  /** Patterns of the models that may be called, at most 1,000. `null` restricts nothing, `[]` allows none. */
  models?: readonly string[] | null | undefined;
  /** Patterns of the MCP servers that may be called, at most 1,000, with the same meaning as `models`. */
  mcpServers?: readonly string[] | null | undefined;
  /** `false` switches content logging off. Default for a new record: `true`. */
  contentLogging?: boolean | undefined;
}

export const versionField = { version: z.int({ error: VERSION }).min(1, { error: VERSION }).optional() };

export const orgField = { orgId: idSchema.optional() };

export const restrictionFields = {
  models: allowListSchema.optional(),
  mcpServers: allowListSchema.optional(),
  contentLogging: z.boolean().optional(),
};

/** `null` removes the limits. */
export const limitsPatch = limitsSchema.nullable().optional();

/** `null` removes the end. */
export const expiryPatch = momentSchema.nullable().optional();

/** Most items of a page. */
export const PAGE_MAX = 1000;

/** The part of a list to return. */
export interface PageInput {
  /** The `next` of the page before. Absent for the first page. */
  after?: string | undefined;
  /** Most items of the page, 1 to 1,000. Default: 100. */
  limit?: number | undefined;
}

export const pageFields = {
  after: text(1, 4000).optional(),
  limit: wholeNumber(1, PAGE_MAX).optional(),
};
