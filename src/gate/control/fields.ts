import * as z from "zod";
import { allowListSchema } from "../../model/chain.js";
import { ValidationError } from "../../model/errors.js";
import { limitsSchema } from "../../model/limits.js";
import { idSchema, momentSchema } from "../../model/text.js";
import { GRANT_FIELDS, type GrantField } from "./ceiling.js";

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
  /** Patterns of the models that may be called, at most 1,000. `null` allows all that the scopes above do, `[]` none. */
  models?: readonly string[] | null | undefined;
  /** Patterns of the MCP servers that may be called, at most 1,000. `null` allows all that the scopes above do, `[]` none. */
  mcpServers?: readonly string[] | null | undefined;
  /** `false` switches content logging off. */
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

/** The fields of a patch that are given. `null` removes a clearable one. */
export function patchOf<T extends object, C extends keyof T = never>(
  input: T,
  clearable: readonly C[] = [],
): { [F in keyof T]?: F extends C ? Exclude<T[F], null> : T[F] } {
  const names: readonly unknown[] = clearable;
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  const cleared = given.map(([field, value]) => [
    field,
    value === null && names.includes(field) ? undefined : value,
  ]);
  return Object.fromEntries(cleared);
}

/** The fields of an input that grant something. */
export function grantedBy(input: object): GrantField[] {
  return GRANT_FIELDS.filter((field) => Reflect.get(input, field) !== undefined);
}

/**
 * Refuses an end in the past. Most likely, seconds were given instead of milliseconds.
 *
 * @throws ValidationError naming `field`
 */
export function requireLater(field: string, moment: number | undefined, now: number): void {
  if (moment !== undefined && moment <= now) {
    throw new ValidationError([{ field, expected: "a moment in the future, in milliseconds since 1970" }]);
  }
}

/**
 * Refuses an end from before the record was made, for the same reason. A later end in the past is fine: it ends now.
 *
 * @throws ValidationError naming `field`
 */
export function requireSinceMade(field: string, end: number | null | undefined, createdAt: number): void {
  if (end != null && end < createdAt) {
    throw new ValidationError([
      { field, expected: "a moment not before it was made, in milliseconds since 1970" },
    ]);
  }
}

/**
 * Whether something that has ended is started again, by a later end or none. Everything in it then counts as given, not
 * only the end.
 */
export function beginsAgain(
  endedAt: number | undefined,
  end: number | null | undefined,
  now: number,
): boolean {
  if (endedAt === undefined || endedAt > now) return false;
  return end === null || (end !== undefined && end > now);
}
