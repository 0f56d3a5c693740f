import * as z from "zod";
import { allowListSchema } from "./chain.js";
import { limitsSchema } from "./limits.js";
import { idSchema, modelSchema, momentSchema, nameSchema, tagsSchema, text } from "./text.js";
import { timeZoneSchema } from "./time-zone.js";

/** The name of a role. Whether the policy has such a role is checked when it is given to somebody. */
export const roleSchema = text(1, 64);

const base = {
  id: text(1, 4000),
  /** The org that the record belongs to. For an org, its own id. */
  orgId: idSchema,
  /** 1 when the record is made, and one more after each write. */
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

/** What an invitation grants in one project. */
export const projectGrantSchema = z.strictObject({
  projectId: idSchema,
  role: roleSchema,
  /** Limits of the new member within the project. */
  limits: limitsSchema.optional(),
});

const invitationSchema = z.strictObject({
  ...made,
  /** The SHA-256 hash of the one-time token. */
  hash: z.string(),
  preview: z.string(),
  invitedBy: idSchema,
  /** Whom the invitation is for, as a note, such as an address to send it to. */
  email: text(1, 320).optional(),
  /** If set, only this user may accept it. */
  userId: idSchema.optional(),
  role: roleSchema,
  projects: z.array(projectGrantSchema),
  /** When the memberships in the projects end. */
  membershipExpiresAt: momentSchema.optional(),
  /** Until when the invitation can be accepted. */
  expiresAt: momentSchema,
  status: z.enum(["pending", "accepted", "revoked"]),
  acceptedBy: idSchema.optional(),
  /** The policy's conditions that held for whoever made the invitation. */
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
  /** Who disabled it, as long as it is disabled. Whoever enables it must be allowed to enable keys of this user. */
  disabledBy: idSchema.optional(),
  /** Set if the key was revoked because its holder left. Until they are back, callers are told `holder_removed`. */
  revokedWithHolder: z.literal(true).optional(),
  /** The SHA-256 hash of the token. */
  hash: z.string(),
  preview: z.string(),
  /** The user who received the token when it was made. */
  issuedTo: idSchema,
  /** The SHA-256 hash of the token before the last rotation. `previousIssuedTo` is the user who received that token. */
  previousHash: z.string().optional(),
  previousExpiresAt: momentSchema.optional(),
  previousIssuedTo: idSchema.optional(),
  models: allowListSchema,
  mcpServers: allowListSchema,
  limits: limitsSchema.optional(),
  contentLogging: z.boolean(),
  expiresAt: momentSchema.optional(),
});

/** When a key was last used. It is a record of its own so that using a key does not change the key's version. */
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
  /** The only project that uses it. Absent: all projects without one of their own. */
  projectId: idSchema.optional(),
  name: nameSchema.optional(),
  /** Where the gateway keeps the secret, such as a path in a vault. Never the secret itself. */
  secretRef: text(1, 1000),
});

const creditGrantSchema = z.strictObject({
  ...made,
  nanoUsd: z.int().min(0),
  note: text(1, 1000).optional(),
  status: z.enum(["granted", "revoked"]),
});

/** Its `version` counts the writes of an org, so a write that does not know the latest one conflicts. */
const trailSchema = z.strictObject({
  ...base,
  /** The latest moment of any of these writes. */
  latestAt: momentSchema,
  /** The most that the moment of one of them was before the latest by then, in milliseconds: above 0 if clocks went back. */
  behindMs: z.int().min(0),
  /** All credit that was granted and not revoked, in nano-USD. Absent if none was ever granted. */
  creditsNanoUsd: z.int().min(0).optional(),
});

const auditEventSchema = z.strictObject({
  ...base,
  /** The number of the org's write that the event belongs to: 1, 2, … A large write has several events. */
  sequence: z.int().positive(),
  at: momentSchema,
  /** The latest `at` of the org's events up to this one: a later one than its own if a clock went back. */
  latestAt: momentSchema,
  actorUserId: idSchema,
  /** The key that acted for the user, if one did. */
  actorKeyId: idSchema.optional(),
  action: text(1, 100),
  outcome: z.enum(["done", "denied"]),
  /** Why the attempt was denied, in words. */
  reason: z.string().optional(),
  subjectKind: z.string(),
  subjectId: z.string(),
  projectId: idSchema.optional(),
  /**
   * Each record before and after the write, without hashes. Without `before` it was made; without `after` it was
   * deleted.
   */
  changes: z.array(
    z.strictObject({
      kind: z.string(),
      id: z.string(),
      before: z.record(z.string(), z.unknown()).optional(),
      after: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

/** The zod schema of each kind of record that a `Storage` keeps. */
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

/** A kind of record, such as `project` or `key`. */
export type RecordKind = keyof typeof recordSchemas;

/** The type of each kind of record; see {@link recordSchemas}. */
export type Records = { readonly [K in RecordKind]: Readonly<z.infer<(typeof recordSchemas)[K]>> };

export const recordKinds = Object.keys(recordSchemas) as RecordKind[]; // sound: a literal has the keys of its type

/** The id of a membership. No two are alike, whatever the parts contain, so nobody can be in the same place twice. */
export function membershipId(
  ...parts:
    | readonly [orgId: string, userId: string]
    | readonly [orgId: string, projectId: string, userId: string]
): string {
  return JSON.stringify(parts);
}

/** The number of a part that no write has: it would be of some 200 million changes. */
const PARTS_END = 999_999;

/** Stands behind the ids of all parts of an org's nth write, and before those of its later writes. */
export function auditEventsEnd(orgId: string, sequence: number): string {
  return auditEventId(orgId, sequence, PARTS_END);
}

/** The id of one part of an org's nth write in its audit trail. The ids sort in the order of the writes. */
export function auditEventId(orgId: string, sequence: number, part: number): string {
  return JSON.stringify([orgId, String(sequence).padStart(12, "0"), String(part).padStart(6, "0")]);
}
