import * as z from "zod";
import { allowListSchema } from "./chain.js";
import { limitsSchema } from "./limits.js";
import { idSchema, modelSchema, momentSchema, nameSchema, tagsSchema, text } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";

/** A role's name; whether the policy has such a role is checked where it is given. */
export const roleSchema = text(1, 64);

const base = {
  id: text(1, 4000),
  /** The org that it belongs to; of an org, its own id. */
  orgId: idSchema,
  /** 1 when it is made, one more with each write. */
  version: z.int().positive(),
};

const made = { ...base, createdAt: momentSchema };

const orgSchema = z.strictObject({
  ...made,
  name: nameSchema,
  status: z.enum(["active", "suspended"]),
  timeZone: timeZoneSchema,
  limits: limitsSchema.optional(),
  contentLogging: z.boolean(),
});

const orgMemberSchema = z.strictObject({ ...made, userId: idSchema, role: roleSchema });

/** What an invitation gives in one project. */
export const projectGrantSchema = z.strictObject({
  projectId: idSchema,
  role: roleSchema,
  /** Limits as a member of the project. */
  limits: limitsSchema.optional(),
});

const invitationSchema = z.strictObject({
  ...made,
  /** SHA-256 of the one-time token. */
  hash: z.string(),
  preview: z.string(),
  invitedBy: idSchema,
  /** A note of whom it is for, such as an address to send it to. */
  email: text(1, 320).optional(),
  /** Only this user may accept it. */
  userId: idSchema.optional(),
  role: roleSchema,
  projects: z.array(projectGrantSchema),
  /** When the project memberships end. */
  membershipExpiresAt: momentSchema.optional(),
  /** Until when it may be accepted. */
  expiresAt: momentSchema,
  status: z.enum(["pending", "accepted", "revoked"]),
  acceptedBy: idSchema.optional(),
  /** The conditions of the policy that held for whoever invited. */
  conditions: z.array(z.string()).optional(),
});

const projectSchema = z.strictObject({
  ...made,
  name: nameSchema,
  status: z.enum(["active", "archived"]),
  models: allowListSchema,
  mcpServers: allowListSchema,
  limits: limitsSchema.optional(),
  contentLogging: z.boolean(),
});

const projectMemberSchema = z.strictObject({
  ...made,
  projectId: idSchema,
  userId: idSchema,
  role: roleSchema,
  limits: limitsSchema.optional(),
  expiresAt: momentSchema.optional(),
});

const keySchema = z.strictObject({
  ...made,
  projectId: idSchema,
  /** The holder. */
  userId: idSchema,
  name: nameSchema.optional(),
  tags: tagsSchema,
  status: z.enum(["active", "disabled", "revoked"]),
  /** Set where it was revoked because its holder left: until they are back, that is what a caller is told. */
  revokedWithHolder: z.literal(true).optional(),
  /** SHA-256 of the token. */
  hash: z.string(),
  preview: z.string(),
  /** Whom the token was handed to when it was made. */
  issuedTo: idSchema,
  /** SHA-256 of the token before the last rotation, which `previousIssuedTo` has. */
  previousHash: z.string().optional(),
  previousExpiresAt: momentSchema.optional(),
  previousIssuedTo: idSchema.optional(),
  models: allowListSchema,
  mcpServers: allowListSchema,
  limits: limitsSchema.optional(),
  contentLogging: z.boolean(),
  expiresAt: momentSchema.optional(),
});

/** When a key was last used. Apart from the key, so that using one changes no version that somebody works with. */
const keyUseSchema = z.strictObject({ ...base, usedAt: momentSchema });

const virtualModelSchema = z.strictObject({
  ...made,
  alias: modelSchema,
  models: z.array(modelSchema).min(1).max(50),
});

const mcpServerSchema = z.strictObject({
  ...made,
  name: modelSchema,
  url: text(1, 2000).optional(),
  description: text(1, 2000).optional(),
});

const externalKeySchema = z.strictObject({
  ...made,
  provider: nameSchema,
  /** The only project that uses it; absent for all that have none of their own. */
  projectId: idSchema.optional(),
  name: nameSchema.optional(),
  /** Where the gateway keeps the secret, such as a path in a vault. Never the secret. */
  secretRef: text(1, 1000),
});

const creditGrantSchema = z.strictObject({
  ...made,
  nanoUsd: z.int().min(0),
  note: text(1, 1000).optional(),
  status: z.enum(["granted", "revoked"]),
});

/** Its `version` counts the writes of an org: one that does not know the latest conflicts. */
const trailSchema = z.strictObject({ ...base });

const auditEventSchema = z.strictObject({
  ...base,
  /** Which write of the org it was: 1, 2, …; a large one has several events. */
  sequence: z.int().positive(),
  at: momentSchema,
  actorUserId: idSchema,
  /** The key that acted for the user. */
  actorKeyId: idSchema.optional(),
  action: text(1, 100),
  outcome: z.enum(["done", "denied"]),
  /** Why it was denied. */
  reason: z.string().optional(),
  subjectKind: z.string(),
  subjectId: z.string(),
  projectId: idSchema.optional(),
  /** Each record before and after, without its hashes; no `before`: it was made, no `after`: it is gone. */
  changes: z.array(
    z.strictObject({
      kind: z.string(),
      id: z.string(),
      before: z.record(z.string(), z.unknown()).optional(),
      after: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

/** What is at rest, by kind. */
export const recordSchemas = {
  org: orgSchema,
  orgMember: orgMemberSchema,
  invitation: invitationSchema,
  project: projectSchema,
  projectMember: projectMemberSchema,
  key: keySchema,
  keyUse: keyUseSchema,
  virtualModel: virtualModelSchema,
  mcpServer: mcpServerSchema,
  externalKey: externalKeySchema,
  creditGrant: creditGrantSchema,
  trail: trailSchema,
  auditEvent: auditEventSchema,
};

export type RecordKind = keyof typeof recordSchemas;

/** The records of each kind. */
export type Records = { readonly [K in RecordKind]: Readonly<z.infer<(typeof recordSchemas)[K]>> };

export const recordKinds = Object.keys(recordSchemas) as RecordKind[]; // sound: a literal has the keys of its type

/** The id of a membership: no two are alike whatever the parts contain, so nobody is in the same place twice. */
export function membershipId(
  ...parts:
    | readonly [orgId: string, userId: string]
    | readonly [orgId: string, projectId: string, userId: string]
): string {
  return JSON.stringify(parts);
}

/** The id of a part of an org's nth write in its audit trail: they sort as they happened. */
export function auditEventId(orgId: string, sequence: number, part: number): string {
  return JSON.stringify([orgId, String(sequence).padStart(12, "0"), String(part).padStart(6, "0")]);
}
