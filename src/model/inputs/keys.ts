import * as z from "zod";
import { type Limits, limitsSchema } from "../limits.js";
import { idSchema, momentSchema, nameSchema, tagNameSchema, tagsSchema, tagValueSchema } from "../text.js";
import { schemaOf } from "../validation.js";
import {
  type AtVersion,
  expiryPatch,
  limitsPatch,
  type OfOrg,
  orgField,
  type PageInput,
  pageFields,
  type Restrictions,
  restrictionFields,
  versionField,
} from "./fields.js";

/** A key to make. Whatever is left out restricts nothing beyond what the project and the holder's membership do. */
export interface NewKey extends Restrictions {
  orgId: string;
  projectId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /** The holder, who must be in the project. Default: the actor. */
  userId?: string | undefined;
  /** A name for people, 1 to 200 characters. */
  name?: string | undefined;
  /** Free labels, such as `{ purpose: "batch" }`: at most 50, with names of at most 100 and values of at most 200 characters. */
  tags?: Record<string, string> | undefined;
  /** Limits of its calls. */
  limits?: Limits | undefined;
  /** When it ends by itself, in epoch milliseconds, in the future. Default: never. */
  expiresAt?: number | undefined;
}

/** Names a key. */
export interface KeyById extends OfOrg {
  keyId: string;
}

/** Names a key to write to. */
export interface KeyAtVersion extends KeyById, AtVersion {}

/** Which keys to list. */
export interface KeyQuery extends PageInput {
  orgId: string;
  projectId?: string | undefined;
  /** Only keys of this holder. */
  userId?: string | undefined;
  status?: "active" | "disabled" | "revoked" | undefined;
  /** Only keys with a tag of this name or, given as `{ name, value }`, with this tag. */
  tag?: string | { name: string; value: string } | undefined;
  /** Only keys that end before this moment, in epoch milliseconds, by themselves or with their holder's membership. */
  expiringBefore?: number | undefined;
  /** Only keys that were made and last used before this moment, in epoch milliseconds. */
  unusedSince?: number | undefined;
}

/** What to change of a key. What is left out stays. */
export interface KeyUpdate extends KeyAtVersion, Restrictions {
  /** A name for people, 1 to 200 characters. `null` removes it. */
  name?: string | null | undefined;
  /** Replaces all tags. At most 50, with names of at most 100 and values of at most 200 characters. */
  tags?: Record<string, string> | undefined;
  /** Replaces all limits. `null` removes them. */
  limits?: Limits | null | undefined;
  /**
   * When it ends by itself, in epoch milliseconds, not before it was made. A moment in the past ends it now; `null`
   * removes the end.
   */
  expiresAt?: number | null | undefined;
}

/** How to rotate a key. */
export interface KeyRotation extends KeyAtVersion {
  /** How long the previous token keeps working, in milliseconds: at most a year. Default: 0. */
  graceMs?: number | undefined;
}

const ref = { keyId: idSchema, ...orgField };

const byId = schemaOf<KeyById>()(z.strictObject(ref));

const atVersion = schemaOf<KeyAtVersion>()(z.strictObject({ ...ref, ...versionField }));

/** A year. A token that has to work longer is not being rotated. */
const GRACE_MAX_MS = 31_536_000_000;
const GRACE = "a whole number of milliseconds, at most a year";

export const keySchemas = {
  create: schemaOf<NewKey>()(
    z.strictObject({
      orgId: idSchema,
      projectId: idSchema,
      id: idSchema.optional(),
      userId: idSchema.optional(),
      name: nameSchema.optional(),
      tags: tagsSchema.optional(),
      limits: limitsSchema.optional(),
      ...restrictionFields,
      expiresAt: momentSchema.optional(),
    }),
  ),
  get: byId,
  list: schemaOf<KeyQuery>()(
    z.strictObject({
      orgId: idSchema,
      projectId: idSchema.optional(),
      userId: idSchema.optional(),
      status: z.enum(["active", "disabled", "revoked"]).optional(),
      tag: z
        .union([tagNameSchema, z.strictObject({ name: tagNameSchema, value: tagValueSchema })], {
          error: "the name of a tag, or an object with name and value",
        })
        .optional(),
      expiringBefore: momentSchema.optional(),
      unusedSince: momentSchema.optional(),
      ...pageFields,
    }),
  ),
  update: schemaOf<KeyUpdate>()(
    z.strictObject({
      ...ref,
      ...versionField,
      name: nameSchema.nullable().optional(),
      tags: tagsSchema.optional(),
      limits: limitsPatch,
      ...restrictionFields,
      expiresAt: expiryPatch,
    }),
  ),
  disable: atVersion,
  enable: atVersion,
  revoke: atVersion,
  rotate: schemaOf<KeyRotation>()(
    z.strictObject({
      ...ref,
      ...versionField,
      graceMs: z
        .int({ error: GRACE })
        .min(0, { error: GRACE })
        .max(GRACE_MAX_MS, { error: GRACE })
        .optional(),
    }),
  ),
  effective: byId,
} as const;
